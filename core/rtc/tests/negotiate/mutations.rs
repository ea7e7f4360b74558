//! Recorded offers with lines lost, doubled, swapped and mixed with others: whatever comes, there is
//! a lawful answer or a refusal, and neither the negotiator nor the engine panics.

use crate::engine::{Side, policy, usual};
use crate::rules::{assert_answers, browser_answer};
use crate::*;
use codec::Kind;
use proptest::prelude::*;
use rtc::topology::Direction;

#[derive(Clone, Debug)]
enum Mutation {
    Drop(usize),
    Double(usize),
    Swap(usize, usize),
    Graft { from: usize, line: usize, to: usize },
    Digit { line: usize, digit: u8 },
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let line = 0..400_usize;
    prop_oneof![
        line.clone().prop_map(Mutation::Drop),
        line.clone().prop_map(Mutation::Double),
        (line.clone(), line.clone()).prop_map(|(a, b)| Mutation::Swap(a, b)),
        (0..OFFERS.len(), line.clone(), line.clone())
            .prop_map(|(from, line, to)| Mutation::Graft { from, line, to }),
        (line, b'0'..=b'9').prop_map(|(line, digit)| Mutation::Digit { line, digit }),
    ]
}

fn mutate(text: &str, mutations: &[Mutation]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for mutation in mutations {
        let count = lines.len();
        match mutation {
            Mutation::Drop(line) => drop(lines.remove(line % count)),
            Mutation::Double(line) => lines.insert(line % count, lines[line % count].clone()),
            Mutation::Swap(a, b) => lines.swap(a % count, b % count),
            Mutation::Graft { from, line, to } => {
                let other: Vec<&str> = OFFERS[*from].1.lines().collect();
                lines.insert(to % count, other[line % other.len()].to_owned());
            }
            Mutation::Digit { line, digit } => {
                let line = &mut lines[line % count];
                if let Some(at) = line.rfind(|char: char| char.is_ascii_digit()) {
                    line.replace_range(at..=at, &char::from(*digit).to_string());
                }
            }
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\r\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_offers_are_answered_lawfully_or_refused(
        offers in prop::collection::vec((0..OFFERS.len(), prop::collection::vec(mutation(), 0..12)), 1..4),
        all in any::<bool>(),
    ) {
        let policy = if all {
            policy(&["opus", "g722", "ulaw", "alaw"], &["vp8", "vp9", "h264", "av1"], 3)
        } else {
            usual()
        };
        let mut side = Side::new(policy);
        for (index, mutations) in offers {
            let Ok(offer) = mutate(OFFERS[index].1, &mutations).parse::<Sdp>() else {
                continue;
            };
            if let Ok(answer) = side.answer(&offer) {
                assert_answers(&offer, &answer);
                side.assert_engine_agrees();
            }
        }
    }

    #[test]
    fn mutated_answers_are_taken_or_refused_and_the_call_goes_on(
        mutations in prop::collection::vec(mutation(), 0..12),
        pictures in 1..5_usize,
    ) {
        let mut side = Side::new(usual());
        side.answer(&sdp(CHROMIUM)).unwrap();
        let want = side.negotiator.agreed().clone();
        let want = want.with_count(Kind::Video, pictures, Direction::SendOnly);
        if let Some(offer) = side.offer(&want).unwrap() {
            let mut directions = vec![Direction::RecvOnly; offer.media.len()];
            directions[..2].fill(Direction::SendRecv);
            let answer = browser_answer(&sdp(CHROMIUM), &offer, &directions);
            match mutate(&answer.to_string(), &mutations).parse::<Sdp>() {
                Ok(answer) if side.apply(&answer).is_ok() => side.assert_engine_agrees(),
                Ok(_) | Err(_) => side.rollback(),
            }
        }
        side.assert_engine_agrees();
        // Where the answer changed nothing, the browser's next offer finds the call as it was.
        let hold = sdp(CHROMIUM_HOLD);
        if let Ok(answer) = side.answer(&hold) {
            assert_answers(&hold, &answer);
            side.assert_engine_agrees();
        }
    }
}
