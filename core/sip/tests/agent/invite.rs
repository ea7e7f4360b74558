//! Calls from INVITE to BYE.

use sip::{Body, Ended, Event, Status};

use super::pair::{Pair, Side, Wire};

#[test]
fn a_call_is_made_answered_and_ended() {
    let mut pair = Pair::new(Wire::PERFECT_WS, 1);
    let (alice, _) = pair.established();
    assert_eq!(pair.sent(Side::Bob, "100 INVITE"), 1);
    pair.act(Side::Alice, |agent, now| {
        agent.hangup(now, alice, Vec::new(), Status::DECLINE)
    });
    pair.run_ms(40_000);
    assert!(matches!(pair.ends(Side::Alice)[..], [Ended::Hangup]));
    assert!(matches!(pair.ends(Side::Bob)[..], [Ended::Bye(_)]));
    let ladder: Vec<_> = pair
        .ladder
        .iter()
        .map(|(_, _, line)| line.as_str())
        .collect();
    assert_eq!(
        ladder,
        [
            "INVITE",
            "100 INVITE",
            "200 INVITE",
            "ACK",
            "BYE",
            "200 BYE"
        ]
    );
    pair.assert_empty();
}

#[test]
fn both_sides_change_the_session() {
    for side in [Side::Alice, Side::Bob] {
        let mut pair = Pair::new(Wire::PERFECT_WS, 2);
        let (alice, bob) = pair.established();
        let (from, to) = if side == Side::Alice {
            (alice, bob)
        } else {
            (bob, alice)
        };
        pair.act(side, |agent, now| {
            agent.reinvite(now, from, Body::sdp("offer 2"))
        })
        .unwrap();
        pair.run_ms(20);
        assert!(pair.has(side.other(), |event| {
            matches!(event, Event::Offer { body: Some(body), .. } if body == "offer 2")
        }));
        pair.act(side.other(), |agent, now| {
            agent.answer(now, to, Some(Body::sdp("answer 2")))
        });
        pair.run_ms(40_000);
        assert!(pair.has(side, |event| {
            matches!(event, Event::Answer { body, .. } if body == "answer 2")
        }));
        assert_eq!(
            pair.sent(side.other(), "200 INVITE"),
            if side == Side::Bob { 1 } else { 2 }
        );
    }
}
