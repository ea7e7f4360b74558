//! What the media plane tells a channel.

use super::Channel;
use crate::cause::Cause;
use crate::event::{AppResult, Happened};
use crate::pending::LegEvent;
use crate::story::StoryEvent;

impl Channel {
    pub(super) fn on_media(&mut self, event: LegEvent) -> AppResult<Option<Happened>> {
        match event {
            LegEvent::IceConnected { local, remote } => {
                self.tell(StoryEvent::IcePair { local, remote });
            }
            LegEvent::MediaUp { dtls, srtp } => {
                self.media_up = true;
                self.tell(StoryEvent::Secured { dtls, srtp });
            }
            LegEvent::FirstPacket { kind, received } => {
                self.tell(StoryEvent::FirstPacket {
                    kind: kind.as_str(),
                    received,
                });
            }
            LegEvent::Digit(digit) => return Ok(self.on_digit(digit)),
            LegEvent::Down(why) => {
                let never_up = !self.media_up;
                self.tell(StoryEvent::MediaDown { why, never_up });
                return Err(self.hangup(Cause::RecoveryOnTimerExpire));
            }
        }
        Ok(None)
    }
}
