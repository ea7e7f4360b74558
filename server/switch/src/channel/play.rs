//! What the far end hears from us: sounds and tones.

use codec::{Codec, Kind, Sound, ToneScript};
use media::Playable;

use super::Channel;
use crate::event::{AppResult, Happened};
use crate::leg::{MediaLeg, Playing};
use crate::sounds::{NoSound, Wanted};

/// The longest name of a language: Asterisk keeps as many.
const LANGUAGE_BYTES_MAX: usize = 40;

impl Channel {
    /// Finds a sound by its name in the dial plan, in the call's language and for its codec.
    pub async fn sound(&mut self, name: &str) -> AppResult<Result<Sound, NoSound>> {
        self.sound_in(name, None).await
    }

    /// The same in another language than the call's, if one is named.
    pub async fn sound_in(
        &mut self,
        name: &str,
        language: Option<&str>,
    ) -> AppResult<Result<Sound, NoSound>> {
        let mut wanted = self.wanted(name);
        if let Some(language) = language {
            language.clone_into(&mut wanted.language);
        }
        let switch = self.switch.clone();
        let load = move || switch.sounds().load(&wanted);
        let loaded = self.during(tokio::task::spawn_blocking(load)).await?;
        Ok(loaded.expect("reading a file does not panic"))
    }

    pub(super) fn wanted(&self, name: &str) -> Wanted {
        let codec = self.codec();
        let coding = codec.and_then(|codec| codec.coding);
        let rates = coding.map(|coding| coding.rates_hz);
        Wanted {
            name: name.to_owned(),
            folder: self.switch.config().own.sounds.clone().into(),
            language: self.language().to_owned(),
            rate_hz: rates
                .and_then(|rates| rates.first().copied())
                .unwrap_or(8000),
            codec,
        }
    }

    /// The language of its prompts.
    pub fn language(&self) -> &str {
        let own = self.language.as_deref();
        let own = own.or_else(|| self.endpoint().language.as_deref());
        own.unwrap_or("en")
    }

    /// Speaks the language of who dials it, unless its endpoint has its own.
    pub(crate) fn inherit_language(&mut self, language: Option<&str>) {
        if self.endpoint().language.is_none()
            && let Some(language) = language
        {
            self.set_language(language);
        }
    }

    /// Sets that language; `false`: it is no name of a folder.
    pub fn set_language(&mut self, language: &str) -> bool {
        let fits = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
        let is_name = !language.is_empty()
            && language.len() <= LANGUAGE_BYTES_MAX
            && language.chars().all(fits);
        if is_name {
            self.language = Some(language.to_owned());
        }
        is_name
    }

    /// Lets the far end hear this, in place of what it heard before, until the end or until it presses a
    /// digit that `stops`, which is returned; other digits are lost, as in Asterisk.
    pub async fn play(
        &mut self,
        playable: Playable,
        stops: impl Fn(char) -> bool,
    ) -> AppResult<Option<char>> {
        while let Some(digit) = self.digits.kept.pop_front() {
            if stops(digit) {
                return Ok(Some(digit));
            }
        }
        self.tones = None;
        let Some(leg) = &self.leg else {
            return Ok(None);
        };
        self.waited = true;
        let playing = leg.play(playable);
        // It has arrived where something is said to it.
        if self.is_up() {
            self.fares(200);
        }
        self.interrupt_music();
        let played = self.played(playing, stops).await;
        self.go_on_with_music();
        played
    }

    /// Waits for the end of what is played.
    async fn played(
        &mut self,
        mut playing: Playing,
        stops: impl Fn(char) -> bool,
    ) -> AppResult<Option<char>> {
        loop {
            let wake = tokio::select! {
                biased;
                wake = self.wake() => wake,
                () = playing.ended() => return Ok(None),
            };
            if let Some(Happened::Digit(digit)) = self.on_wake(wake).await?
                && stops(digit)
            {
                return Ok(Some(digit));
            }
        }
    }

    /// Lets the far end hear this, in place of what it is connected to, until its end or until the guard is
    /// dropped.
    pub(crate) fn begin_playing(&self, playable: Playable) -> Option<Playing> {
        self.leg.as_deref().map(|leg| leg.play(playable))
    }

    /// Lets the far end hear this while the dial plan goes on, until [`Self::stop_tones`] or the next
    /// [`Self::play`].
    pub fn play_on(&mut self, playable: Playable) {
        self.tones = self
            .leg
            .as_deref()
            .map(|leg: &dyn MediaLeg| leg.play(playable));
        self.interrupt_music();
    }

    /// The tone of this name where the far end is (`indications.conf`).
    pub fn tone(&self, name: &str) -> Option<ToneScript> {
        let config = self.switch.config();
        config.indications.tone(self.tone_zone(), name)
    }

    /// The country whose tones the far end hears; `None`: that of the exchange.
    pub fn tone_zone(&self) -> Option<&str> {
        let own = self.tone_zone.as_deref();
        own.or_else(|| self.endpoint().tone_zone.as_deref())
    }

    /// Sets that country; `false`: there is none of this name.
    pub fn set_tone_zone(&mut self, name: &str) -> bool {
        let is_known = self.switch.config().indications.zones.contains_key(name);
        if is_known {
            self.tone_zone = Some(name.to_owned());
        }
        is_known
    }

    /// Lets the far end hear one of those tones while something else goes on.
    pub(crate) fn play_tone(&mut self, name: &str) {
        if let Some(tone) = self.tone(name) {
            self.play_on(Playable::Tones(tone));
        }
    }

    /// Ends what [`Self::play_on`] began.
    pub fn stop_tones(&mut self) {
        if self.tones.take().is_some() {
            self.go_on_with_music();
        }
    }

    /// The codec agreed on for sound.
    fn codec(&self) -> Option<&'static Codec> {
        let streams = &self.early.as_ref().unwrap_or(&self.topology);
        let audio = streams.streams(Kind::Audio).next();
        let mut payloads = audio.into_iter().flat_map(|stream| &stream.payloads);
        payloads.find_map(|payload| payload.format.codec())
    }
}
