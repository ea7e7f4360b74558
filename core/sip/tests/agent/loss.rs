//! Whole calls over a wire that loses, doubles and reorders: whatever happens, both sides end once and nothing
//! is left behind.

use std::time::Duration;

use sip::{Body, Busy, Ended, Event, InviteId, Status, Transport};

use super::pair::{Pair, Side, Wire};

const BAD: Wire = Wire {
    transport: Transport::Udp,
    loss_percent: 30,
    duplicate_percent: 15,
    delay_ms: 1..=700,
};

/// What the layer above does: answers everything, and changes the session now and then.
struct Script {
    alice: Option<InviteId>,
    bob: Option<InviteId>,
    ended: [usize; 2],
}

impl Script {
    fn react(&mut self, pair: &mut Pair) {
        for (side, event) in std::mem::take(&mut pair.events) {
            assert_eq!(
                self.ended[side as usize], 0,
                "{side:?} was told {event:?} after the end"
            );
            match event {
                Event::Invite { id, .. } => {
                    self.bob = Some(id);
                    pair.act(side, |agent, now| {
                        agent.provisional(now, id, Status::RINGING, None);
                        agent.accept(now, id, Body::sdp("answer"));
                    });
                }
                Event::Offer { id, .. } => pair.act(side, |agent, now| {
                    agent.answer(now, id, Some(Body::sdp("answer")));
                }),
                Event::InDialog {
                    request_id,
                    request,
                    ..
                } => pair.act(side, |agent, now| {
                    agent.respond(now, request_id, request.response(Status::OK));
                }),
                Event::Ended { .. } => self.ended[side as usize] += 1,
                Event::Request { .. }
                | Event::Progress { .. }
                | Event::Answered { .. }
                | Event::Failed { .. }
                | Event::Confirmed { .. }
                | Event::GivenUp { .. }
                | Event::Silent { .. }
                | Event::OfferWithdrawn { .. }
                | Event::Identity { .. }
                | Event::Answer { .. }
                | Event::Restated { .. }
                | Event::OfferRefused { .. }
                | Event::Response { .. }
                | Event::Resubscribed { .. }
                | Event::SubscriptionEnded { .. }
                | Event::FlowLost { .. }
                | Event::FlowRestored { .. } => {}
            }
        }
    }

    fn run(&mut self, pair: &mut Pair, ms: u64) {
        let until = pair.now + Duration::from_millis(ms);
        while pair.step(until) {
            self.react(pair);
        }
        pair.now = until;
    }

    /// Offers, if the call stands and it is this side's turn.
    fn offer(&self, pair: &mut Pair, side: Side, update: bool) {
        let id = if side == Side::Alice {
            self.alice
        } else {
            self.bob
        };
        let Some(id) = id else { return };
        let offered: Result<(), Busy> = pair.act(side, |agent, now| match update {
            true => agent.update(now, id, Body::sdp("offer")),
            false => agent.reinvite(now, id, Body::sdp("offer")),
        });
        // Busy is fine: the last one may still be on its way.
        let _ = offered;
    }
}

#[test]
fn calls_over_a_bad_wire_end_once_on_both_sides() {
    let mut established = 0;
    for seed in 0..200 {
        let mut pair = Pair::new(BAD, seed);
        let mut script = Script {
            alice: None,
            bob: None,
            ended: [0, 0],
        };
        script.alice = Some(pair.call());
        script.run(&mut pair, 20_000);
        let counts = (pair.alice.counts().invites, pair.bob.counts().invites);
        established += usize::from(counts == (1, 1));
        script.offer(&mut pair, Side::Alice, false);
        script.run(&mut pair, pause(seed));
        script.offer(&mut pair, Side::Bob, false);
        script.run(&mut pair, pause(seed / 3));
        script.offer(&mut pair, Side::Bob, true);
        script.run(&mut pair, pause(seed / 9));
        let (side, id) = match seed % 2 {
            0 => (Side::Alice, script.alice),
            _ => (Side::Bob, script.bob),
        };
        if let Some(id) = id.filter(|_| script.ended == [0, 0]) {
            pair.act(side, |agent, now| {
                agent.hangup(now, id, Vec::new(), Status::DECLINE)
            });
        } else if let Some(id) = script.alice.filter(|_| script.ended[0] == 0) {
            pair.act(Side::Alice, |agent, now| {
                agent.hangup(now, id, Vec::new(), Status::DECLINE)
            });
        }
        script.react(&mut pair);
        // The session timer ends what a lost BYE left standing.
        script.run(&mut pair, 2_000_000);
        let called = usize::from(script.bob.is_some());
        assert_eq!(script.ended, [1, called], "seed {seed}");
        pair.assert_empty();
    }
    assert!(established > 190, "most calls come through: {established}");
}

/// Milliseconds between the steps: sometimes so short that they cross.
fn pause(seed: u64) -> u64 {
    [20_000, 1_000, 300][usize::try_from(seed % 3).unwrap()]
}

#[test]
fn a_lost_bye_is_found_by_the_session_timer() {
    let mut pair = Pair::new(Wire::PERFECT_UDP, 1);
    let (alice, _) = pair.established();
    pair.drop = |side, _| side == Side::Alice;
    pair.act(Side::Alice, |agent, now| {
        agent.hangup(now, alice, Vec::new(), Status::DECLINE)
    });
    pair.run_ms(32_000);
    assert!(matches!(pair.ends(Side::Alice)[..], [Ended::Hangup]));
    pair.run_ms(1_800_000);
    assert!(matches!(pair.ends(Side::Bob)[..], [Ended::SessionExpired]));
    pair.run_ms(64_000);
    pair.assert_empty();
}
