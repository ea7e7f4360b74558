//! Topologies in words, and the questions a call asks of them.

use codec::Kind;
use rtc::policy::Policy;
use rtc::topology::{Direction, Stream, Topology};

/// `audio sendrecv, video sendonly`, seen from us.
pub(super) fn in_words(topology: &Topology) -> String {
    let words: Vec<String> = topology
        .iter()
        .map(|stream| format!("{} {}", stream.kind.as_str(), stream.direction.as_str()))
        .collect();
    words.join(", ")
}

/// Whether the far end wants to hear us, or to see us where there is no sound. If not, it has put us on hold.
pub(super) fn sends(topology: &Topology) -> bool {
    leading(topology).any(|stream| stream.direction.sends())
}

/// Whether the far end holds us and still wants to be heard itself.
pub(super) fn held_by_sendonly(topology: &Topology) -> bool {
    !sends(topology) && leading(topology).any(|stream| stream.direction.receives())
}

/// The streams that hold is told by: sound, where there is any.
fn leading(topology: &Topology) -> impl Iterator<Item = &Stream> {
    let has_audio = topology.streams(Kind::Audio).next().is_some();
    let kind = if has_audio { Kind::Audio } else { Kind::Video };
    topology.streams(kind)
}

/// What was wanted, on top of what stands by now: the far end may have changed its streams since.
pub(super) fn rebase(want: &Topology, agreed: &Topology) -> Topology {
    let kept = agreed.iter().map(|stream| {
        let wanted = stream.mid.as_deref().and_then(|mid| want.by_mid(mid));
        let direction = wanted.map_or(stream.direction, |wanted| wanted.direction);
        Stream {
            direction,
            ..stream.clone()
        }
    });
    let new = want.iter().filter(|stream| stream.mid.is_none()).cloned();
    Topology::new(kept.chain(new).collect())
}

/// What stood before, on top of what stands by now, where the far end wants it back. A stream that came
/// in between stays without use, one that went is wanted anew: neither can be undone.
pub(super) fn restore(before: &Topology, agreed: &Topology) -> Topology {
    let kept = agreed.iter().map(|stream| {
        let stood = stream.mid.as_deref().and_then(|mid| before.by_mid(mid));
        Stream {
            direction: stood.map_or(Direction::Inactive, |stood| stood.direction),
            ..stream.clone()
        }
    });
    let is_gone = |stream: &&Stream| {
        let mid = stream.mid.as_deref();
        mid.is_none_or(|mid| agreed.by_mid(mid).is_none())
    };
    let gone = before.iter().filter(is_gone);
    let again = gone.map(|stream| Stream::wanted(stream.kind, stream.direction));
    Topology::new(kept.chain(again).collect())
}

/// What stands, without the hold of the far end: a stream that may not be sent is as it last was when it
/// could be.
pub(super) fn without_hold(unheld: &Topology, agreed: &Topology) -> Topology {
    let streams = agreed.iter().map(|stream| {
        let known = stream.mid.as_deref().and_then(|mid| unheld.by_mid(mid));
        let direction = match known {
            Some(known) if !stream.direction.sends() => known.direction,
            Some(_) | None => stream.direction,
        };
        Stream {
            direction,
            ..stream.clone()
        }
    });
    Topology::new(streams.collect())
}

/// What we offer a far end that made no offer: one stream of each kind it may have; as many as the party
/// it is to be connected to has, if that is known.
pub(super) fn unasked(policy: &Policy, far: Option<&Policy>) -> Topology {
    [Kind::Audio, Kind::Video]
        .into_iter()
        .fold(Topology::default(), |topology, kind| {
            let wanted = far.map_or(1, |far| far.max_streams(kind));
            let is_dark = kind == Kind::Video && policy.pictures == Direction::Inactive;
            let count = match is_dark || policy.codecs(kind).is_empty() {
                true => 0,
                false => wanted.min(policy.max_streams(kind)),
            };
            topology.with_count(kind, count, Direction::SendRecv)
        })
}

/// What `own` is to become where the streams of the party at the other end are those of `far`: as many
/// streams of a kind as that has in use, as far as the policy has room for them. `None`: it need not
/// change.
pub(super) fn matched(own: &Topology, far: &Topology, policy: &Policy) -> Option<Topology> {
    let used = |topology: &Topology, kind: Kind| {
        let streams = topology.streams(kind);
        streams
            .filter(|stream| stream.direction != Direction::Inactive)
            .count()
    };
    let lacks = |kind: &Kind| {
        let wanted = used(far, *kind).min(policy.max_streams(*kind));
        !policy.codecs(*kind).is_empty() && own.streams(*kind).count() < wanted
    };
    let kinds = [Kind::Audio, Kind::Video].into_iter().filter(lacks);
    let mut want = None;
    for kind in kinds {
        let count = used(far, kind).min(policy.max_streams(kind));
        let topology = want.unwrap_or_else(|| own.clone());
        want = Some(topology.with_count(kind, count, Direction::SendRecv));
    }
    want
}

#[cfg(test)]
mod tests {
    use codec::Kind;
    use config::Endpoint;
    use rtc::topology::{Direction, Stream, Topology};

    use super::{
        held_by_sendonly, in_words, matched, rebase, restore, sends, unasked, without_hold,
    };
    use crate::policy;

    #[test]
    fn a_topology_reads_as_words() {
        let mut endpoint = Endpoint::new("alice");
        endpoint.allow = ["opus", "vp8"]
            .map(|name| codec::by_name(name).unwrap())
            .to_vec();
        let unasked = |endpoint: &Endpoint| in_words(&unasked(&policy::of(endpoint), None));
        assert_eq!(unasked(&endpoint), "audio sendrecv, video sendrecv");
        endpoint.max_video_streams = 0;
        assert_eq!(unasked(&endpoint), "audio sendrecv");
        assert_eq!(in_words(&Topology::default()), "");
    }

    #[test]
    fn who_is_called_is_offered_what_the_caller_has() {
        let mut endpoint = Endpoint::new("alice");
        endpoint.allow = ["opus", "vp8"]
            .map(|name| codec::by_name(name).unwrap())
            .to_vec();
        let own = policy::of(&endpoint);
        let mut far = own.clone();
        far.max_video_streams = 0;
        assert_eq!(in_words(&unasked(&own, Some(&far))), "audio sendrecv");
        far.max_video_streams = 3;
        let both = "audio sendrecv, video sendrecv";
        assert_eq!(in_words(&unasked(&own, Some(&far))), both);
    }

    #[test]
    fn a_stream_added_at_one_end_is_wanted_at_the_other() {
        use Direction::{Inactive, SendRecv};
        let mut endpoint = Endpoint::new("alice");
        endpoint.allow = ["opus", "vp8"]
            .map(|name| codec::by_name(name).unwrap())
            .to_vec();
        let policy = policy::of(&endpoint);
        let audio = Topology::new(vec![known(Kind::Audio, "0", SendRecv)]);
        let both = audio.clone().with_count(Kind::Video, 1, SendRecv);
        let wanted = matched(&audio, &both, &policy).unwrap();
        assert_eq!(in_words(&wanted), "audio sendrecv, video sendrecv");
        assert_eq!(matched(&both, &audio, &policy), None, "what goes is kept");
        let idle = Topology::new(vec![
            known(Kind::Audio, "0", SendRecv),
            known(Kind::Video, "1", Inactive),
        ]);
        assert_eq!(matched(&audio, &idle, &policy), None);
    }

    #[test]
    fn hold_is_when_nothing_may_be_sent() {
        let held = Topology::new(vec![
            Stream::wanted(Kind::Audio, Direction::RecvOnly),
            Stream::wanted(Kind::Video, Direction::Inactive),
        ]);
        assert!(!sends(&held) && held_by_sendonly(&held));
        let idle = Topology::new(vec![Stream::wanted(Kind::Audio, Direction::Inactive)]);
        assert!(!sends(&idle) && !held_by_sendonly(&idle));
        let watched = Topology::new(vec![
            Stream::wanted(Kind::Audio, Direction::RecvOnly),
            Stream::wanted(Kind::Video, Direction::SendRecv),
        ]);
        assert!(!sends(&watched), "sound counts where there is any");
        let seen = Topology::new(vec![Stream::wanted(Kind::Video, Direction::SendRecv)]);
        assert!(sends(&seen));
        let sent = Topology::new(vec![Stream::wanted(Kind::Audio, Direction::SendOnly)]);
        assert!(sends(&sent));
    }

    fn known(kind: Kind, mid: &str, direction: Direction) -> Stream {
        Stream {
            mid: Some(mid.into()),
            ..Stream::wanted(kind, direction)
        }
    }

    #[test]
    fn what_stood_is_asked_back_as_far_as_lines_allow() {
        use Direction::{Inactive, RecvOnly, SendRecv};
        let before = Topology::new(vec![
            known(Kind::Audio, "0", SendRecv),
            known(Kind::Video, "1", RecvOnly),
        ]);
        let now = Topology::new(vec![
            known(Kind::Audio, "0", Inactive),
            known(Kind::Video, "2", SendRecv),
        ]);
        assert_eq!(
            in_words(&restore(&before, &now)),
            "audio sendrecv, video inactive, video recvonly"
        );
        assert_eq!(in_words(&restore(&before, &before)), in_words(&before));
    }

    #[test]
    fn a_hold_is_remembered_as_what_it_interrupted() {
        use Direction::{Inactive, RecvOnly, SendOnly};
        let stood = Topology::new(vec![
            known(Kind::Audio, "0", SendOnly),
            known(Kind::Video, "1", RecvOnly),
        ]);
        let unheld = without_hold(&Topology::default(), &stood);
        let held = Topology::new(vec![
            known(Kind::Audio, "0", Inactive),
            known(Kind::Video, "1", Inactive),
        ]);
        let unheld = without_hold(&unheld, &held);
        assert_eq!(in_words(&unheld), "audio sendonly, video recvonly");
    }

    #[test]
    fn an_offer_made_again_keeps_streams_the_far_end_added_meanwhile() {
        let known = |kind, mid: &str| Stream {
            mid: Some(mid.into()),
            ..Stream::wanted(kind, Direction::SendRecv)
        };
        let before = Topology::new(vec![known(Kind::Audio, "0")]);
        let want = before.with_count(Kind::Video, 1, Direction::SendOnly);
        let now = Topology::new(vec![known(Kind::Audio, "0"), known(Kind::Video, "1")]);
        let again = rebase(&want, &now);
        assert_eq!(
            in_words(&again),
            "audio sendrecv, video sendrecv, video sendrecv"
        );
        assert_eq!(again.iter().nth(1).unwrap().mid.as_deref(), Some("1"));
        assert_eq!(again.iter().nth(2).unwrap().mid, None);
    }
}
