//! What the media plane tells a channel.

use media::{DownReason, LegEvent};
use rtc::Down;

use super::Channel;
use crate::cause::Cause;
use crate::event::{AppResult, Happened};
use crate::story::StoryEvent;

impl Channel {
    pub(super) fn on_media(&mut self, event: &LegEvent) -> AppResult<Option<Happened>> {
        match *event {
            LegEvent::IceConnected { local, remote } => {
                self.tell(StoryEvent::IcePair { local, remote });
            }
            LegEvent::MediaUp { dtls, srtp } => {
                (self.media_up, self.facts.is_secure) = (true, true);
                self.tell(StoryEvent::Secured {
                    dtls: dtls.to_owned(),
                    srtp: srtp.to_owned(),
                });
            }
            LegEvent::SourceLearned {
                local,
                remote,
                target,
            } => {
                self.media_up = true;
                self.tell(StoryEvent::RtpSource {
                    local,
                    remote,
                    target,
                });
            }
            LegEvent::FirstPacket { kind, received } => {
                self.tell(StoryEvent::FirstPacket {
                    kind: kind.as_str(),
                    received,
                });
            }
            LegEvent::Digit { form, event } => return Ok(self.on_digit(form.into(), event)),
            LegEvent::KeyframeWanted => self.signaling.request_keyframe(),
            // They come as they happen; the story has the sums at the end.
            LegEvent::Losses { .. } => {}
            LegEvent::Down(reason) => {
                let never_up = !self.media_up;
                self.tell(StoryEvent::MediaDown {
                    why: reason.to_string(),
                    never_up,
                    timed_out: reason == DownReason::Transport(Down::RtpTimeout),
                });
                return Err(self.hangup(cause_of(reason)));
            }
        }
        Ok(None)
    }
}

fn cause_of(reason: DownReason) -> Cause {
    match reason {
        DownReason::Transport(Down::ClosedByPeer) => Cause::NormalClearing,
        DownReason::Transport(Down::NeverConnected | Down::ConsentLost | Down::RtpTimeout) => {
            Cause::RecoveryOnTimerExpire
        }
        DownReason::Transport(Down::DtlsFailed) => Cause::BearerNotAvailable,
        DownReason::InboxFull => Cause::SwitchCongestion,
        DownReason::Defect => Cause::Interworking,
        DownReason::Shutdown => Cause::TemporaryFailure,
    }
}
