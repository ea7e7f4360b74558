//! A feature of `[applicationmap]`: digits that run an application on one of the two while the other one waits.

use config::FeatureApplication;

use super::aside::Meanwhile;
use super::{Goes, Party, Talk};
use crate::application::Args;
use crate::channel::Channel;
use crate::event::AppResult;
use crate::story::StoryEvent;
use crate::transfer::Onward;

impl Talk<'_> {
    pub(super) async fn application(&mut self, side: Party, feature: &FeatureApplication) -> Goes {
        let on = match feature.on_peer {
            true => side.other(),
            false => side,
        };
        // What was asked for where nothing came of it is not asked for any more.
        self.pair(on).0.onward = None;
        let feature = feature.clone();
        let class = feature.music_class.clone();
        let meanwhile = class
            .as_deref()
            .map_or(Meanwhile::Silence, |class| Meanwhile::Music(Some(class)));
        self.aside(on, meanwhile, |channel| {
            Box::pin(async move { apply(channel, &feature).await })
        })
        .await?;
        let (own, _) = self.pair(on);
        match own.onward.take() {
            None => self.rejoin().await,
            Some(Onward::Blind(to)) => self.blind_to(on, to).await,
            Some(Onward::Attended(to)) => Box::pin(self.attended_to(on, to)).await,
        }
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
