//! What a channel has of `features.conf`, and the sounds that go with it.

use codec::ToneScript;
use config::{Applied, Features, Object as _, Shown};
use media::Playable;

use super::Channel;
use crate::event::AppResult;

/// What is heard where a sound of the exchange's own is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// A short high tone: it is done, or something is to be dialled.
    Beep,
    /// Two low tones: it is not done.
    Refusal,
}

impl Channel {
    /// `features.conf`, as it holds for this channel.
    pub fn features(&self) -> Features {
        match &self.features {
            Some(own) => (**own).clone(),
            None => self.switch.config().features.clone(),
        }
    }

    /// An option of `[general]`, as it holds for this channel.
    pub fn feature(&self, option: &str) -> Option<String> {
        value_of(&self.features().general, option)
    }

    /// Sets one for this channel alone. `false`: there is no such option, or that is no value for it.
    pub fn set_feature(&mut self, option: &str, value: &str) -> bool {
        is_set(&self.features_mut().general.set(option, value))
    }

    /// The digits of a feature, as they hold for this channel.
    pub fn feature_digits(&self, feature: &str) -> Option<String> {
        value_of(&self.features().map, feature)
    }

    /// Sets them for this channel alone. `false`: there is no such feature, or those are no digits.
    pub fn set_feature_digits(&mut self, feature: &str, digits: &str) -> bool {
        is_set(&self.features_mut().map.set(feature, digits))
    }

    fn features_mut(&mut self) -> &mut Features {
        let switch = &self.switch;
        self.features
            .get_or_insert_with(|| Box::new(switch.config().features.clone()))
    }

    /// Lets the far end hear that somebody is called, until [`Self::stop_tones`].
    pub(crate) fn play_ringing(&mut self) {
        self.play_tone("ring");
    }

    /// Lets the far end hear a sound of the exchange's own until its end, or until a digit that `stops`. An empty
    /// name is none. Where there is no such sound a tone takes its place, and the log says so once.
    pub async fn prompt(
        &mut self,
        name: &str,
        instead: Instead,
        stops: impl Fn(char) -> bool,
    ) -> AppResult<Option<char>> {
        if name.is_empty() {
            return Ok(None);
        }
        let playable = match self.sound(name).await? {
            Ok(sound) => Playable::Sound(sound),
            Err(why) => {
                if self.switch.sounds().miss(name) {
                    tracing::warn!("{why}; a tone is heard in its place (said once)");
                }
                Playable::Tones(tones(instead.script()))
            }
        };
        self.play(playable, stops).await
    }
}

impl Instead {
    /// Marked steps alone: it ends.
    fn script(self) -> &'static str {
        match self {
            Self::Beep => "!1000/160,!0/40",
            Self::Refusal => "!400/160,!0/80,!400/160,!0/40",
        }
    }
}

fn value_of(object: &impl Shown, option: &str) -> Option<String> {
    let shown = object.shown().into_iter();
    let mut named = shown.filter(|(name, _)| name.eq_ignore_ascii_case(option.trim()));
    named.next().map(|(_, value)| value)
}

fn is_set(applied: &Applied) -> bool {
    matches!(applied, Applied::Set | Applied::Inert(_))
}

/// Tones of ours.
pub(crate) fn tones(script: &'static str) -> ToneScript {
    ToneScript::parse(script).expect("the scripts written here can be read")
}
