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
    /// ([`Self::set_music_class`]), else the one that is suggested here, else `default`; the other way round
    /// with `preferchannelclass=no`.
    pub async fn start_music(&mut self, suggested: Option<&str>) {
        let prefers_own = self.switch.config().music.prefer_channel_class;
        let own = self.music_class.clone();
        let [first, second] = match prefers_own {
            true => [own.as_deref(), suggested],
            false => [suggested, own.as_deref()],
        };
        let mut named = [first, second].into_iter().flatten();
        let class = named.find(|class| !class.is_empty());
        let class = class.unwrap_or(DEFAULT_CLASS).to_owned();
        self.hear(&class).await;
    }

    /// The same of this class, whatever was set or suggested.
    pub async fn start_music_of(&mut self, class: &str) {
        self.hear(class).await;
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

    pub(super) async fn hear(&mut self, class: &str) {
        let config = self.switch.config();
        let music = self.switch.music().find(&config, class);
        let music = music.or_else(|| {
            let text =
                format!("musiconhold.conf has no class `{class}`; `{DEFAULT_CLASS}` is heard");
            tracing::warn!(channel = self.name(), "{text}");
            self.tell(StoryEvent::Remark { text });
            self.switch.music().find(&config, DEFAULT_CLASS)
        });
        let Some(mut music) = music else {
            return;
        };
        let class = config.music.classes.get(music.name());
        if class.is_some_and(|class| class.answered_only) && !self.is_up() {
            return;
        }
        if let Some(name) = class.and_then(|class| class.announcement.as_deref()) {
            let (wanted, switch) = (self.wanted(name), self.switch.clone());
            let load = move || switch.sounds().load(&wanted);
            // One that cannot be read is told by the programme, where it stands between two pieces.
            if let Ok(Ok(sound)) = tokio::task::spawn_blocking(load).await {
                music = music.with_welcome(sound);
            }
        }
        let text = format!("music on hold starts: {}", music.name());
        self.tell(StoryEvent::Remark { text });
        let playing = None;
        self.music = Some(Listening { music, playing });
        self.go_on_with_music();
    }

    /// The class that a digit chooses, while music is on and it is another one.
    pub(super) fn music_by_digit(&self, digit: char) -> Option<String> {
        let listening = self.music.as_ref()?;
        let config = self.switch.config();
        let mut classes = config.music.classes.values();
        let chosen = classes.find(|class| class.digit == Some(digit))?;
        (chosen.name != listening.music.name()).then(|| chosen.name.clone())
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
