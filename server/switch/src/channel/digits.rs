//! The digits of a channel: those its far end presses, in whatever form, and those it is sent.

use std::collections::VecDeque;
use std::time::Duration;

use codec::Kind;
use config::DtmfMode;
use media::{Digit, DigitEvent, DigitForm};
use rtc::topology::Format;
use tokio::time::Instant;

use super::Channel;
use crate::digit_string::{DigitStep, digit_steps};
use crate::event::{AppResult, Happened};
use crate::presses::{Form, Presses};
use crate::story::StoryEvent;

/// Digits kept for an application that is busy with another verb.
pub const DIGITS_MAX: usize = 32;

/// What is known of digits.
#[derive(Debug, Default)]
pub(super) struct Digits {
    presses: Presses,
    /// Kept for the next verb that reads one.
    pub(super) kept: VecDeque<char>,
    /// What the other party has not been told yet.
    news: VecDeque<DigitEvent>,
    /// What the other party was told the beginning of.
    passing: Option<char>,
    /// Digits that may begin something the exchange is meant by.
    firsts: String,
    held: VecDeque<Digit>,
}

impl Digits {
    /// Whether a digit may be meant for the exchange.
    fn holds(&self, digit: char) -> bool {
        !self.held.is_empty() || self.firsts.contains(digit.to_ascii_uppercase())
    }
}

impl Channel {
    /// Takes what became known of a digit; a digit happens when it is let go.
    pub(super) fn on_digit(&mut self, form: Form, event: DigitEvent) -> Option<Happened> {
        let event = self.digits.presses.on(Instant::now(), form, event)?;
        if self.digits.news.len() == NEWS_MAX {
            self.digits.news.pop_front();
        }
        self.digits.news.push_back(event);
        let DigitEvent::Ended(Digit { digit, .. }) = event else {
            return None;
        };
        self.tell(StoryEvent::Digit { digit });
        Some(Happened::Digit(digit))
    }

    /// Digits that were dialled before are for nobody.
    pub(crate) fn forget_digits(&mut self) {
        self.digits.kept.clear();
        self.digits.news.clear();
        self.digits.held.clear();
        self.waited = true;
    }

    /// What became known of the digits of the far end, for who passes them on by itself.
    pub(crate) fn next_digit_event(&mut self) -> Option<DigitEvent> {
        self.digits.news.pop_front()
    }

    /// What was pressed is not for another party.
    pub(crate) fn forget_news(&mut self) {
        self.digits.news.clear();
    }

    pub(super) fn keep_digit(&mut self, digit: char) {
        if self.digits.kept.len() < DIGITS_MAX {
            self.digits.kept.push_back(digit);
        }
    }

    /// Passes on to the other party what the far end has pressed since, unless it is held back. Whoever
    /// lets two channels talk calls this after each event.
    pub fn pass_digits(&mut self, other: &mut Self) {
        while let Some(event) = self.digits.news.pop_front() {
            let digits = &mut self.digits;
            let is_passed = match event {
                DigitEvent::Began(digit) => {
                    let goes = !digits.holds(digit) && digits.passing.is_none();
                    if goes {
                        digits.passing = Some(digit);
                    }
                    goes
                }
                DigitEvent::Ended(digit) => {
                    // What has begun ends, whatever has been decided meanwhile.
                    let begun = digits.passing.take_if(|own| *own == digit.digit).is_some();
                    let goes = begun || !digits.holds(digit.digit);
                    if !goes && digits.held.len() < DIGITS_MAX {
                        digits.held.push_back(digit);
                    }
                    goes
                }
            };
            if is_passed {
                other.send_digit(event);
            }
        }
    }

    /// Holds back what the far end presses from now on, from one of these digits on, instead of passing it
    /// on: it may be meant for the exchange. [`Self::release_digits`] and [`Self::drop_digits`] say what it
    /// was. Without any, nothing is held back.
    pub fn hold_digits(&mut self, firsts: &str) {
        firsts.clone_into(&mut self.digits.firsts);
    }

    /// The first of what was held back was for the other party: so many go to it now, each as long as it
    /// was.
    pub fn release_digits(&mut self, other: &mut Self, count: usize) {
        let count = count.min(self.digits.held.len());
        for digit in self.digits.held.drain(..count).collect::<Vec<_>>() {
            other.send_digit(DigitEvent::Ended(digit));
        }
    }

    /// What was held back was for the exchange.
    pub fn drop_digits(&mut self) {
        self.digits.held.clear();
    }

    /// The two talk no more: a digit that has begun ends.
    pub fn stop_passing(&mut self, other: &mut Self) {
        self.end_passing(other);
        self.digits.news.clear();
        self.digits.held.clear();
        self.digits.firsts.clear();
    }

    /// What the other party was told the beginning of ends.
    pub(crate) fn end_passing(&mut self, other: &mut Self) {
        if let Some(digit) = self.digits.passing.take() {
            other.send_digit(DigitEvent::Ended(Digit::brief(digit)));
        }
    }

    /// Sends a digit to the far end in the form it takes: events, tones, INFO, or not at all. One that ends without
    /// having begun is sent whole; they go one after the other and nobody waits.
    pub fn send_digit(&mut self, event: DigitEvent) {
        let mode = self.endpoint().dtmf_mode;
        let by_info = match mode {
            DtmfMode::None => return,
            DtmfMode::Info => true,
            DtmfMode::AutoInfo => !self.takes_events(),
            DtmfMode::Rfc4733 | DtmfMode::Inband | DtmfMode::Auto => false,
        };
        if by_info && self.signaling.send_digit(event) {
            return;
        }
        let is_taken = self.leg.as_ref().is_some_and(|leg| leg.dial(event));
        if !is_taken && !by_info {
            self.signaling.send_digit(event);
        }
    }

    /// Sends by media what the far end does not take by signalling.
    pub(super) fn sound_digits(&mut self, digits: &[Digit]) {
        for digit in digits {
            let event = DigitEvent::Ended(*digit);
            if !self.leg.as_ref().is_some_and(|leg| leg.dial(event)) {
                let digit = digit.digit;
                let text = format!("digit {digit} is lost: there is no sound to send it with");
                self.tell(StoryEvent::Remark { text });
            }
        }
    }

    /// Sends digits to the far end, one after the other: each so long, with a pause between. `w` is half a
    /// second of silence, `W` a whole one; what is no digit is passed over.
    pub async fn send_digits(
        &mut self,
        digits: &str,
        duration: Duration,
        pause: Duration,
    ) -> AppResult {
        for step in digit_steps(digits) {
            let length = match step {
                DigitStep::Digit(digit) => {
                    self.send_digit(DigitEvent::Ended(Digit { digit, duration }));
                    duration + pause
                }
                DigitStep::Pause(length) => length,
                DigitStep::Unknown(_) => continue,
            };
            self.during(tokio::time::sleep(length)).await?;
        }
        Ok(())
    }

    /// Whether the far end takes telephone events.
    fn takes_events(&self) -> bool {
        let streams = self.early.as_ref().unwrap_or(&self.topology);
        let audio = streams.streams(Kind::Audio).next();
        let payloads = audio.into_iter().flat_map(|stream| &stream.payloads);
        payloads
            .into_iter()
            .any(|payload| matches!(payload.format, Format::Digits { .. }))
    }

    /// Has media listen for tones, if the far end sends its digits as such.
    pub(super) fn listen_for_tones(&self) {
        let listens = match self.endpoint().dtmf_mode {
            DtmfMode::Inband => true,
            DtmfMode::Auto => !self.takes_events(),
            DtmfMode::Rfc4733 | DtmfMode::Info | DtmfMode::AutoInfo | DtmfMode::None => false,
        };
        if let Some(leg) = &self.leg {
            leg.listen(listens);
        }
    }
}

impl From<DigitForm> for Form {
    fn from(form: DigitForm) -> Self {
        match form {
            DigitForm::Event => Self::Event,
            DigitForm::Tone => Self::Tone,
        }
    }
}

/// News of digits nobody asks for.
const NEWS_MAX: usize = 64;
