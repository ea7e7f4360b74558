//! A feature of `[applicationmap]`: digits that run an application on one of the two while the other one waits.

use config::FeatureApplication;

use super::aside::Meanwhile;
use super::{Goes, Party, Talk};
use crate::application::Args;
use crate::channel::Channel;
use crate::event::AppResult;
use crate::story::StoryEvent;

impl Talk<'_> {
    pub(super) async fn application(&mut self, side: Party, feature: &FeatureApplication) -> Goes {
        let on = match feature.on_peer {
            true => side.other(),
            false => side,
        };
        let feature = feature.clone();
        let class = feature.music_class.clone();
        let meanwhile = class
            .as_deref()
            .map_or(Meanwhile::Silence, |class| Meanwhile::Music(Some(class)));
        self.aside(on, meanwhile, |channel| {
            Box::pin(async move { apply(channel, &feature).await })
        })
        .await?;
        self.rejoin().await
    }
}

async fn apply(channel: &mut Channel, feature: &FeatureApplication) -> AppResult {
    let FeatureApplication {
        application,
        arguments,
        ..
    } = feature;
    let Some(known) = channel.switch().application(application) else {
        let text = format!("features.conf: no application is called '{application}'");
        tracing::warn!(channel = channel.name(), "{text}");
        channel.tell(StoryEvent::Remark { text });
        return Ok(());
    };
    let arguments = channel.substituted(arguments);
    let shown = format!("{}({arguments})", known.name);
    channel.tell(StoryEvent::Application {
        application: shown,
        at: "features.conf".to_owned(),
    });
    (known.run)(channel, Args::new(&arguments, "features.conf", 0)).await
}
