//! One call's signalling, as the switch drives it: commands to the driver.

use std::sync::Arc;

use ::sip::{Body, HeaderName, InviteId, Request, Status};
use rtc::Refused;
use sdp::Sdp;
use switch::{Cause, Signaling};

use crate::sip::authenticate::Denied;
use crate::sip::command::Command;
use crate::sip::shared::Shared;

/// The SIP leg of a channel.
pub(crate) struct SipSignaling {
    shared: Arc<Shared>,
    id: InviteId,
    invite: Arc<Request>,
    progress: Progress,
}

/// How far the call has come, as far as commands go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Ringing,
    Answered,
    Over,
}

impl SipSignaling {
    pub(crate) fn new(shared: Arc<Shared>, id: InviteId, invite: Arc<Request>) -> Self {
        Self {
            shared,
            id,
            invite,
            progress: Progress::Ringing,
        }
    }
}

impl Signaling for SipSignaling {
    fn ring(&mut self, early: Option<&Sdp>) {
        let status = if early.is_some() {
            Status::SESSION_PROGRESS
        } else {
            Status::RINGING
        };
        self.shared.command(Command::Provisional {
            id: self.id,
            status,
            body: early.map(body),
        });
    }

    fn answer(&mut self, sdp: &Sdp) {
        self.progress = Progress::Answered;
        self.shared.command(Command::Accept {
            id: self.id,
            body: body(sdp),
        });
    }

    fn offer(&mut self, sdp: &Sdp) {
        self.shared.command(Command::Reinvite {
            id: self.id,
            body: body(sdp),
        });
    }

    fn accept(&mut self, sdp: &Sdp) {
        self.shared.command(Command::Answer {
            id: self.id,
            body: body(sdp),
        });
    }

    fn refuse(&mut self, refused: &Refused) {
        let id = self.id;
        let status = Status::new(refused.status()).unwrap_or(Status::NOT_ACCEPTABLE_HERE);
        let Denied { status, headers } = Denied::with_warning(status, &refused.to_string());
        self.shared.command(match self.progress {
            Progress::Ringing => {
                self.progress = Progress::Over;
                Command::Reject {
                    id,
                    status,
                    headers,
                }
            }
            Progress::Answered | Progress::Over => Command::Refuse {
                id,
                status,
                headers,
            },
        });
    }

    fn hangup(&mut self, cause: Cause) {
        if self.progress == Progress::Over {
            return;
        }
        self.progress = Progress::Over;
        let status = Status::new(cause.status()).unwrap_or(Status::DECLINE);
        let headers = vec![(HeaderName::Reason, cause.reason())];
        self.shared.command(Command::Hangup {
            id: self.id,
            status,
            headers,
        });
    }

    fn header(&self, name: &str) -> Option<String> {
        self.invite
            .headers
            .get(&HeaderName::from(name))
            .map(str::to_owned)
    }
}

/// A channel that is dropped where it stood leaves no call behind.
impl Drop for SipSignaling {
    fn drop(&mut self) {
        self.hangup(Cause::TemporaryFailure);
    }
}

fn body(sdp: &Sdp) -> Body {
    Body::sdp(sdp.to_string())
}
