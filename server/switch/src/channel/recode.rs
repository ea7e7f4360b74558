//! Two parties that talk through a transcoder though they have a codec in common: one of them is offered it.
//!
//! That comes of an answer given before the other party was known: the dial plan answered with Opus to play a
//! prompt, and then called a phone that has G.711 alone. The rule settles: within one conversation a party is
//! offered other codecs once; one that refused is never offered any again; and what a party offers itself is
//! taken and left alone.
//!
//! Deliberately not here: a narrower sound than the transcoded one. G.711 on both sides would spare the work
//! between Opus and G.722, and half of what is heard with it.

use codec::{Codec, Kind};
use rtc::topology::Topology;

use super::Channel;
use super::round::{Offered, Want};
use crate::story::StoryEvent;

/// The codecs of one party.
#[derive(Debug, Default)]
pub(super) struct Sound {
    /// Those that it has described in this call and that are allowed, in the order they became known.
    known: Vec<&'static Codec>,
    /// It refused to change.
    is_fixed: bool,
}

impl Sound {
    pub(super) fn know(&mut self, codecs: &[&'static Codec]) {
        for codec in codecs {
            if !self.known.contains(codec) {
                self.known.push(codec);
            }
        }
    }
}

/// What counts of a party: the codecs that stand, best first, and those it can be offered.
#[derive(Clone, Copy, Debug)]
struct Party<'a> {
    agreed: &'a [&'static Codec],
    known: &'a [&'static Codec],
    /// Whether it may be offered any.
    is_free: bool,
}

/// The codecs that a party is to be offered; `None`: it keeps its own.
type Change = Option<Vec<&'static Codec>>;

/// Offers each of the two what they have in common, where sound is made anew between them and need not be.
/// `asked` says who has been asked in this conversation. To be called after all that happens.
pub(crate) async fn settle(one: &mut Channel, other: &mut Channel, asked: &mut [bool; 2]) {
    if *asked == [true; 2] || !one.is_settled() || !other.is_settled() {
        return;
    }
    let changes = wanted([&*one, &*other], *asked);
    for (index, (channel, change)) in [one, other].into_iter().zip(changes).enumerate() {
        if let Some(codecs) = change {
            asked[index] = true;
            channel.recode(codecs).await;
        }
    }
}

/// Whether the sound of one of the two has to be made anew for the other, as far as each sends the best of its
/// codecs.
pub(crate) fn is_recoded(one: &Channel, other: &Channel) -> bool {
    let (one, other) = (one.codecs(), other.codecs());
    !one.is_empty() && !other.is_empty() && !passes(&one, &other)
}

fn wanted(channels: [&Channel; 2], asked: [bool; 2]) -> [Change; 2] {
    let agreed = channels.map(Channel::codecs);
    let [first, second] = [0, 1].map(|index| Party {
        agreed: &agreed[index],
        known: &channels[index].facts.sound.known,
        is_free: !asked[index] && !channels[index].is_pinned(),
    });
    changes(first, second)
}

impl Channel {
    /// The codecs of its sound, best first.
    fn codecs(&self) -> Vec<&'static Codec> {
        sound_of(&self.topology)
    }

    /// Whether an offer may be made now: nothing is under way, and nobody holds anybody.
    pub(super) fn is_settled(&self) -> bool {
        let is_held = self.on_hold || self.passed_hold.is_some() || self.hears_music();
        self.is_up() && self.established && self.turn.is_idle() && !is_held
    }

    /// Whether it keeps the codec it has: `preferred_codec_only` and `keep: first` say so, or it does.
    fn is_pinned(&self) -> bool {
        let endpoint = self.endpoint();
        self.facts.sound.is_fixed || endpoint.preferred_codec_only || endpoint.offers().keeps_first
    }

    async fn recode(&mut self, codecs: Vec<&'static Codec>) {
        let text = format!(
            "offering {}, so that audio need not be transcoded",
            in_words(&codecs)
        );
        self.tell(StoryEvent::Remark { text });
        match self.make_offer(Want::Codecs(codecs), 1).await {
            Ok(Offered::Asked | Offered::Stands) => {}
            // The story says why.
            Err(_) => self.facts.sound.is_fixed = true,
        }
    }

    /// An offer of the far end is agreed on: if the codec it had is none of it, it has chosen, and is left alone.
    pub(super) fn note_choice(&mut self, agreed: &Topology) {
        let chosen = sound_of(agreed);
        let had = self.codecs();
        let is_gone = had.first().is_some_and(|first| !chosen.contains(first));
        if is_gone && !chosen.is_empty() {
            self.keep_codecs();
        }
    }

    /// The far end does not want other codecs.
    pub(super) fn keep_codecs(&mut self) {
        self.facts.sound.is_fixed = true;
    }
}

fn sound_of(topology: &Topology) -> Vec<&'static Codec> {
    let first = topology.streams(Kind::Audio).next();
    first
        .map(|stream| stream.codecs().collect())
        .unwrap_or_default()
}

/// What each is to be offered.
fn changes(one: Party<'_>, other: Party<'_>) -> [Change; 2] {
    let (Some(first), Some(second)) = (one.agreed.first(), other.agreed.first()) else {
        return [None, None];
    };
    if passes(one.agreed, other.agreed) {
        return [None, None];
    }
    // What is heard through the transcoder.
    let heard_hz = rate_hz(first).min(rate_hz(second));
    let both = in_common(one.known, other.known);
    let ways = [
        led_by(one, other),
        led_by(other, one).map(|[leader, follower]| [follower, leader]),
        Some([Some(both.clone()), Some(both)]),
    ];
    let ways = ways.into_iter().flatten().filter_map(|way| {
        let parties = [one, other];
        let new = |index: usize, change: &Change| {
            let change = change.clone()?;
            (change != parties[index].agreed).then_some(change)
        };
        let way = [new(0, &way[0]), new(1, &way[1])];
        let may_be = |index: usize| way[index].is_none() || parties[index].is_free;
        let [own, theirs] =
            [0, 1].map(|index| way[index].as_deref().unwrap_or(parties[index].agreed));
        let best = own.first().filter(|_| passes(own, theirs))?;
        if !may_be(0) || !may_be(1) {
            return None;
        }
        let asked = way.iter().flatten().count();
        let rate_hz = rate_hz(best);
        (rate_hz >= heard_hz).then_some((rate_hz, asked, way))
    });
    // What sounds better, then what disturbs fewer, then the first.
    let best = ways.min_by_key(|(rate_hz, asked, _)| (std::cmp::Reverse(*rate_hz), *asked));
    best.map_or([None, None], |(.., way)| way)
}

/// One party takes what the other has; the other is asked to leave out what that one has not, where it would
/// send that.
fn led_by(follower: Party<'_>, leader: Party<'_>) -> Option<[Change; 2]> {
    let common = in_order(leader.agreed, follower.known);
    let leads = common.first()?;
    let narrowed = (leader.agreed.first() != Some(leads)).then(|| common.clone());
    Some([Some(common), narrowed])
}

/// Whether each takes what the other sends.
fn passes(one: &[&'static Codec], other: &[&'static Codec]) -> bool {
    let takes = |own: &[&'static Codec], theirs: &[&'static Codec]| {
        theirs.first().is_some_and(|codec| own.contains(codec))
    };
    takes(one, other) && takes(other, one)
}

fn in_order(order: &[&'static Codec], kept: &[&'static Codec]) -> Vec<&'static Codec> {
    let own = order.iter().copied();
    own.filter(|codec| kept.contains(codec)).collect()
}

/// What both know, the widest sound first.
fn in_common(one: &[&'static Codec], other: &[&'static Codec]) -> Vec<&'static Codec> {
    let mut common = in_order(one, other);
    common.sort_by_key(|codec| std::cmp::Reverse(rate_hz(codec)));
    common
}

/// How wide its sound is.
fn rate_hz(codec: &Codec) -> u32 {
    let rates = codec.coding.map(|coding| coding.rates_hz);
    let widest = rates.and_then(|rates| rates.iter().copied().max());
    widest.unwrap_or(codec.clock_hz)
}

pub(super) fn in_words(codecs: &[&Codec]) -> String {
    let names: Vec<&str> = codecs.iter().map(|codec| codec.name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Party, changes};
    use codec::{Codec, by_name};

    fn codecs(names: &str) -> Vec<&'static Codec> {
        names
            .split_whitespace()
            .map(|name| by_name(name).unwrap())
            .collect()
    }

    /// What two are offered who have agreed, and know, these.
    fn offered(one: (&str, &str), other: (&str, &str)) -> [Option<String>; 2] {
        let lists = [one.0, one.1, other.0, other.1].map(codecs);
        let one = Party {
            agreed: &lists[0],
            known: &lists[1],
            is_free: true,
        };
        let other = Party {
            agreed: &lists[2],
            known: &lists[3],
            is_free: true,
        };
        changes(one, other).map(|change| change.map(|codecs| super::in_words(&codecs)))
    }

    fn only(first: &str) -> [Option<String>; 2] {
        [Some(first.to_owned()), None]
    }

    #[test]
    fn who_was_answered_before_the_other_was_known_is_offered_what_that_one_has() {
        let both = ("opus ulaw", "opus ulaw alaw");
        assert_eq!(offered(both, ("ulaw", "ulaw")), only("ulaw"));
        assert_eq!(
            offered(("opus", "opus ulaw"), ("ulaw g722", "ulaw g722")),
            only("ulaw")
        );
        let [caller, callee] = offered(("ulaw", "ulaw"), both);
        assert_eq!((caller, callee.as_deref()), (None, Some("ulaw")));
    }

    #[test]
    fn who_understand_each_other_are_left_alone() {
        let none = [None, None];
        assert_eq!(offered(("opus ulaw", "opus ulaw"), ("opus", "opus")), none);
        assert_eq!(offered(("ulaw opus", "ulaw opus"), ("ulaw", "ulaw")), none);
        assert_eq!(
            offered(("opus", "opus"), ("ulaw", "ulaw")),
            none,
            "nothing in common"
        );
        assert_eq!(offered(("", ""), ("ulaw", "ulaw")), none, "no sound");
    }

    #[test]
    fn who_may_not_be_asked_is_not() {
        let lists = ["opus ulaw", "ulaw"].map(codecs);
        let [one, other] = [0, 1].map(|index| Party {
            agreed: &lists[index],
            known: &lists[index],
            is_free: index == 1,
        });
        assert_eq!(changes(one, other), [None, None]);
        assert_eq!(changes(other, one), [None, None]);
    }

    #[test]
    fn sound_does_not_become_narrower_for_it() {
        let none = [None, None];
        let browser = ("opus ulaw", "opus ulaw");
        assert_eq!(offered(browser, ("g722 ulaw", "g722 ulaw")), none);
        let wide = offered(("opus", "opus g722 ulaw"), ("g722 ulaw", "g722 ulaw"));
        assert_eq!(wide, only("g722, ulaw"));
    }

    #[test]
    fn the_widest_sound_that_both_have_is_chosen_then_the_fewest_offers() {
        let wide = offered(("ulaw", "ulaw opus"), ("opus", "opus ulaw"));
        assert_eq!(wide, only("opus"));
        let both = offered(("ulaw", "ulaw opus"), ("g722", "g722 opus"));
        let opus = Some("opus".to_owned());
        assert_eq!(both, [opus.clone(), opus]);
    }
}
