//! Signalling as a double: it writes down what it is told.

use media::{Digit, DigitEvent};
use rtc::Refused;
use sdp::Sdp;
use switch::{Cause, Signaling};

use super::Ladder;
use super::description::told;

pub(super) struct Recorder(pub(super) Ladder);

impl Signaling for Recorder {
    fn call(&mut self, sdp: &Sdp) {
        self.0.write(format!("call: {}", told(sdp)));
    }

    fn ring(&mut self, early: Option<&Sdp>) {
        self.0.write(match early {
            Some(sdp) => format!("early: {}", told(sdp)),
            None => "ring".to_owned(),
        });
    }

    fn answer(&mut self, sdp: &Sdp) {
        self.0.write(format!("answer: {}", told(sdp)));
    }

    fn offer(&mut self, sdp: &Sdp) {
        self.0.write(format!("offer: {}", told(sdp)));
    }

    fn accept(&mut self, sdp: &Sdp) {
        self.0.write(format!("accept: {}", told(sdp)));
    }

    fn refuse(&mut self, refused: &Refused) {
        self.0.write(format!("refuse {}", refused.status()));
    }

    fn send_digit(&mut self, event: DigitEvent) -> bool {
        if let DigitEvent::Ended(digit) = event {
            self.0.write(format!("INFO {}", in_words(digit)));
        }
        true
    }

    fn hangup(&mut self, cause: Cause) {
        self.0.write(format!("hangup {}", cause.q850()));
    }

    fn headers(&self) -> Vec<(String, String)> {
        let headers = [
            ("From", "<sip:alice@a>"),
            ("X-Test", "yes"),
            ("X-Test", "again"),
        ];
        headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    fn header(&self, name: &str) -> Option<String> {
        (name == "X-Test").then(|| "yes".to_owned())
    }
}

/// `digit 5 of 100 ms`.
pub(crate) fn in_words(digit: Digit) -> String {
    let Digit { digit, duration } = digit;
    format!("digit {digit} of {} ms", duration.as_millis())
}
