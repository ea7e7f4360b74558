//! Topologies in words, and the questions a call asks of them.

use codec::Kind;
use config::Endpoint;
use rtc::topology::{Direction, Stream, Topology};

use crate::policy;

/// `audio sendrecv, video sendonly`, seen from us.
pub(super) fn in_words(topology: &Topology) -> String {
    let words: Vec<String> = topology
        .iter()
        .map(|stream| format!("{} {}", stream.kind.as_str(), stream.direction.as_str()))
        .collect();
    words.join(", ")
}

/// Whether we may send on any stream. If not, the far end has put us on hold.
pub(super) fn sends(topology: &Topology) -> bool {
    topology.iter().any(|stream| stream.direction.sends())
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

/// What we offer a far end that made no offer: one stream of each kind it may have.
pub(super) fn unasked(endpoint: &Endpoint) -> Topology {
    let policy = policy::of(endpoint);
    [Kind::Audio, Kind::Video]
        .into_iter()
        .fold(Topology::default(), |topology, kind| {
            let count = usize::from(!policy.codecs(kind).is_empty()).min(policy.max_streams(kind));
            topology.with_count(kind, count, Direction::SendRecv)
        })
}

#[cfg(test)]
mod tests {
    use codec::Kind;
    use config::Endpoint;
    use rtc::topology::{Direction, Stream, Topology};

    use super::{in_words, rebase, sends, unasked};

    #[test]
    fn a_topology_reads_as_words() {
        let mut endpoint = Endpoint::new("alice");
        endpoint.allow = ["opus", "vp8"]
            .map(|name| codec::by_name(name).unwrap())
            .to_vec();
        assert_eq!(
            in_words(&unasked(&endpoint)),
            "audio sendrecv, video sendrecv"
        );
        endpoint.max_video_streams = 0;
        assert_eq!(in_words(&unasked(&endpoint)), "audio sendrecv");
        assert_eq!(in_words(&Topology::default()), "");
    }

    #[test]
    fn hold_is_when_nothing_may_be_sent() {
        let held = Topology::new(vec![
            Stream::wanted(Kind::Audio, Direction::RecvOnly),
            Stream::wanted(Kind::Video, Direction::Inactive),
        ]);
        assert!(!sends(&held));
        let sent = Topology::new(vec![Stream::wanted(Kind::Audio, Direction::SendOnly)]);
        assert!(sends(&sent));
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
