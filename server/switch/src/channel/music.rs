//! Music on hold: what the far end hears until it is stopped.

use media::{Music, Playable};

use super::Channel;
use crate::leg::Playing;
use crate::music::DEFAULT_CLASS;
use crate::story::StoryEvent;

/// The music that is on.
pub(super) struct Listening {
    music: Music,
    /// None while something else is played, or while there is no media.
    playing: Option<Playing>,
}

impl Channel {
    /// Lets the far end hear music until [`Self::stop_music`]. What others send it is not heard meanwhile; a
    /// prompt that is played interrupts it. Which music: the class set for the channel
    /// ([`Self::set_music_class`]), else the one that is suggested here, else `default`.
    pub async fn start_music(&mut self, suggested: Option<&str>) {
        let class = self.music_class.as_deref().or(suggested);
        let class = class.filter(|class| !class.is_empty());
        let music = self.switch.music().find(class.unwrap_or(DEFAULT_CLASS));
        let text = format!("music on hold starts: {}", music.name());
        self.tell(StoryEvent::Remark { text });
        let playing = None;
        self.music = Some(Listening { music, playing });
        self.go_on_with_music();
    }

    /// Ends the music. Without effect if there is none.
    pub fn stop_music(&mut self) {
        if self.music.take().is_some() {
            let text = "music on hold stops".to_owned();
            self.tell(StoryEvent::Remark { text });
        }
    }

    /// Whether music is on.
    pub fn hears_music(&self) -> bool {
        self.music.is_some()
    }

    /// Sets the class of music that is heard when this channel is held, whatever is suggested. Empty: as
    /// suggested.
    pub fn set_music_class(&mut self, class: &str) {
        self.music_class = (!class.is_empty()).then(|| class.to_owned());
    }

    /// The class that was set, or empty.
    pub fn music_class(&self) -> &str {
        self.music_class.as_deref().unwrap_or_default()
    }

    /// Takes up the music again, after something else was played in its place.
    pub(super) fn go_on_with_music(&mut self) {
        if let (Some(listening), Some(leg)) = (&mut self.music, &self.leg) {
            let playable = Playable::Music(listening.music.clone());
            listening.playing = Some(leg.play(playable));
        }
    }

    /// Notes that something else is played now.
    pub(super) fn interrupt_music(&mut self) {
        if let Some(listening) = &mut self.music {
            listening.playing = None;
        }
    }
}
