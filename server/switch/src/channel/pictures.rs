//! Pictures are on where both parties have them: who waits for none is told so.
//!
//! A caller that offers pictures keeps its line for them, whoever it talks to; while the other party has none the
//! line is `inactive` (RFC 3264 §6.1 lets an answer be so), which is true, keeps a bundle whole and lets pictures
//! come back in the same line. A refused line (port 0) would end the browser's transceiver for good.
//!
//! Who was answered before the other party was known, or gets another one by a transfer, is offered the change.
//! Who refuses is not asked again until it offers something itself, or talks to somebody else. A party that sends
//! pictures and takes none is answered so at the beginning; in the middle of a call nobody is asked to send less,
//! only none.

use codec::Kind;
use rtc::topology::{Direction, Stream, Topology};
use sdp::Sdp;

use super::Channel;
use super::round::{Offered, Want};
use crate::story::StoryEvent;

/// What is known of the pictures of one party.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// The most that its lines may have, if that is no longer what the policy says.
    most: Option<Direction>,
    /// It refused to change what stands.
    is_fixed: bool,
    /// It was offered a line for pictures and refused it.
    refuses: bool,
}

impl Sight {
    /// The far end refused to have others, or none.
    pub(super) fn fix(&mut self) {
        self.is_fixed = true;
    }

    /// Its lines may have so much from now on.
    pub(super) fn allow(&mut self, pictures: Direction) {
        self.most = Some(pictures);
    }

    /// Whether it is to be offered a line for pictures.
    pub(super) fn is_offered_lines(&self) -> bool {
        !self.refuses
    }

    /// It answered an offer of ours.
    pub(super) fn note_answer(&mut self, offer: Option<&Sdp>, agreed: &Topology) {
        let offered = offer.map_or(0, |offer| {
            let lines = offer.media.iter().filter(|media| media.port != 0);
            lines.filter(|media| media.kind.as_str() == "video").count()
        });
        let taken = agreed.streams(Kind::Video).count();
        self.refuses |= offered > taken;
    }

    /// It offered something itself.
    pub(super) fn note_offer(&mut self, agreed: &Topology) {
        self.is_fixed = false;
        self.refuses &= agreed.streams(Kind::Video).next().is_none();
    }

    /// Takes note of what stands: a line that is opened anew begins as the first one did.
    pub(super) fn stands(&mut self, agreed: &Topology) {
        if agreed.streams(Kind::Video).next().is_none() {
            self.most = None;
        }
    }
}

/// The pictures of a party, seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct View {
    /// What its lines have; `None`: it has no line.
    has: Option<Direction>,
    /// The most that they may have.
    most: Direction,
    is_fixed: bool,
}

impl View {
    /// What it would have if it might: whatever it may not have is taken for wanted.
    fn wish(self) -> Direction {
        let Some(has) = self.has else {
            return Direction::Inactive;
        };
        Direction::new(
            has.sends() || !self.most.sends(),
            has.receives() || !self.most.receives(),
        )
    }

    /// What it is to be offered, talking to `far`.
    fn change(self, far: Self) -> Option<Direction> {
        let has = self.has.filter(|_| !self.is_fixed)?;
        let target = far.wish().reversed();
        if target == Direction::Inactive {
            return (has != Direction::Inactive).then_some(target);
        }
        let wider = union(self.most, target);
        (wider != self.most).then_some(wider)
    }
}

/// Offers each of the two what the other one's pictures make true. To be called after all that happens.
pub(crate) async fn light(one: &mut Channel, other: &mut Channel) {
    if !one.is_settled() || !other.is_settled() {
        return;
    }
    let (first, second) = (one.view(), other.view());
    let changes = [first.change(second), second.change(first)];
    for (channel, change) in [one, other].into_iter().zip(changes) {
        if let Some(pictures) = change {
            channel.show(pictures).await;
        }
    }
}

impl Channel {
    /// What an answer of ours may have, talking to this party.
    pub(super) fn pictures_for_others(&self) -> Direction {
        self.view().wish().reversed()
    }

    /// The most that its own lines may have.
    pub(super) fn pictures_max(&self) -> Direction {
        let written = self.policy.pictures;
        self.facts.sight.most.unwrap_or(written)
    }

    /// Another party is to be talked to: what it refused it may be asked again.
    pub(crate) fn forget_refusals(&mut self) {
        self.facts.sight.is_fixed = false;
        self.facts.sight.refuses = false;
    }

    /// Offers to go on without pictures, where there are any.
    pub(crate) async fn darken(&mut self) {
        let view = self.view();
        let is_on = view.has.is_some_and(|has| has != Direction::Inactive);
        if is_on && !view.is_fixed && self.is_settled() {
            self.show(Direction::Inactive).await;
        }
    }

    /// Offers pictures again to who was given none for want of them at the party it talked to: it is alone with an
    /// application that has them.
    pub async fn relight(&mut self) {
        let view = self.view();
        let is_less = view.has.is_some() && view.most != Direction::SendRecv;
        if is_less && !view.is_fixed && self.is_settled() {
            self.show(Direction::SendRecv).await;
        }
    }

    fn view(&self) -> View {
        let lines = self.topology.streams(Kind::Video);
        let has = lines.map(|line| line.direction).reduce(union);
        // Where there is no sound, hold is told by pictures.
        let has = has.filter(|_| self.topology.streams(Kind::Audio).next().is_some());
        View {
            has,
            most: self.pictures_max(),
            is_fixed: self.facts.sight.is_fixed,
        }
    }

    async fn show(&mut self, pictures: Direction) {
        let text = match pictures {
            Direction::Inactive => "the other party has no pictures: offering to go on without",
            Direction::SendRecv | Direction::SendOnly | Direction::RecvOnly => {
                "there are pictures again: offering them"
            }
        };
        let text = text.to_owned();
        self.tell(StoryEvent::Remark { text });
        match self.make_offer(Want::Pictures(pictures), 1).await {
            Ok(Offered::Asked | Offered::Stands) => {}
            // The story says why.
            Err(_) => self.facts.sight.fix(),
        }
    }

    /// As [`super::Channel::suit`] for pictures: what the answer to the offer of this one may have.
    pub(super) fn suit_pictures(&mut self, other: &Self) {
        let offered = self.offer.as_ref().map(|offer| self.policy.asked(offer));
        let has_both =
            offered.is_none_or(|own| own.max_audio_streams > 0 && own.max_video_streams > 0);
        if has_both && !other.topology.is_empty() {
            self.policy.pictures = other.pictures_for_others();
        }
    }
}

/// What stands, with these pictures.
pub(super) fn with_pictures(agreed: &Topology, pictures: Direction) -> Topology {
    let streams = agreed.iter().map(|stream| Stream {
        direction: match stream.kind {
            Kind::Audio => stream.direction,
            Kind::Video => pictures,
        },
        ..stream.clone()
    });
    Topology::new(streams.collect())
}

/// The same, with no more pictures than these.
pub(super) fn within(topology: &Topology, pictures: Direction) -> Topology {
    let streams = topology.iter().map(|stream| Stream {
        direction: match stream.kind {
            Kind::Audio => stream.direction,
            Kind::Video => stream.direction.intersect(pictures),
        },
        ..stream.clone()
    });
    Topology::new(streams.collect())
}

fn union(one: Direction, other: Direction) -> Direction {
    Direction::new(
        one.sends() || other.sends(),
        one.receives() || other.receives(),
    )
}

#[cfg(test)]
mod tests {
    use super::{Direction, View};
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};

    fn view(has: Option<Direction>, most: Direction) -> View {
        View {
            has,
            most,
            is_fixed: false,
        }
    }

    #[test]
    fn who_talks_to_nobody_with_pictures_is_offered_none() {
        let voice = view(None, SendRecv);
        let seen = view(Some(SendRecv), SendRecv);
        assert_eq!(seen.change(voice), Some(Inactive));
        assert_eq!(voice.change(seen), None, "no line to be offered in");
        assert_eq!(seen.change(seen), None);
        let off = view(Some(Inactive), SendRecv);
        assert_eq!(seen.change(off), Some(Inactive), "it switched them off");
        let fixed = View {
            is_fixed: true,
            ..seen
        };
        assert_eq!(fixed.change(voice), None);
    }

    #[test]
    fn who_was_given_none_gets_them_back_with_somebody_who_has_some() {
        let seen = view(Some(SendRecv), SendRecv);
        let dark = view(Some(Inactive), Inactive);
        assert_eq!(dark.change(seen), Some(SendRecv));
        assert_eq!(dark.change(dark), Some(SendRecv), "both were given none");
        assert_eq!(dark.change(view(None, SendRecv)), None);
        let camera_only = view(Some(RecvOnly), SendRecv);
        assert_eq!(dark.change(camera_only), Some(SendOnly));
        let watched = view(Some(SendOnly), SendOnly);
        assert_eq!(watched.change(seen), Some(SendRecv));
        assert_eq!(seen.change(camera_only), None, "nobody is asked for less");
    }
}
