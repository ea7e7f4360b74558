//! What an echo sends where.

use codec::Kind;
use rtc::StreamId;

/// How an echo copies streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EchoMode {
    /// Each stream goes back on itself.
    OneToOne,
    /// The first stream of this kind goes back on every stream of the kind; others go back on
    /// themselves.
    FanOut(Kind),
}

/// Where the packets of one stream go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) source: StreamId,
    pub(crate) targets: Vec<StreamId>,
}

/// The routes of an echo among the agreed streams and those that can be sent to.
pub(crate) fn routes(
    mode: EchoMode,
    agreed: &[(StreamId, Kind)],
    sending: &[(StreamId, Kind)],
) -> Vec<Route> {
    let first = |kind| agreed.iter().find(|stream| stream.1 == kind);
    let route = |source: &(StreamId, Kind)| {
        let is_fanned = mode == EchoMode::FanOut(source.1);
        let is_source = !is_fanned || first(source.1) == Some(source);
        let targets = sending.iter().filter(|target| {
            is_source && target.1 == source.1 && (is_fanned || target.0 == source.0)
        });
        Route {
            source: source.0,
            targets: targets.map(|target| target.0).collect(),
        }
    };
    agreed.iter().map(route).collect()
}

#[cfg(test)]
mod tests {
    use super::{EchoMode, Route, routes};
    use codec::Kind::{Audio, Video};
    use rtc::StreamId;

    fn targets(routes: &[Route]) -> Vec<(usize, Vec<usize>)> {
        let plain = |route: &Route| {
            let targets = route.targets.iter().map(|target| target.0).collect();
            (route.source.0, targets)
        };
        routes.iter().map(plain).collect()
    }

    #[test]
    fn one_to_one_sends_each_stream_back_on_itself() {
        let agreed = [
            (StreamId(0), Audio),
            (StreamId(1), Video),
            (StreamId(2), Video),
        ];
        let routes = routes(EchoMode::OneToOne, &agreed, &agreed[..2]);
        assert_eq!(targets(&routes), [(0, vec![0]), (1, vec![1]), (2, vec![])]);
    }

    #[test]
    fn a_fan_out_copies_the_first_stream_of_the_kind_only() {
        let video = |index| (StreamId(index), Video);
        let agreed = [(StreamId(0), Audio), video(1), video(3), video(4)];
        let routes = routes(EchoMode::FanOut(Video), &agreed, &agreed);
        let expected = [(0, vec![0]), (1, vec![1, 3, 4]), (3, vec![]), (4, vec![])];
        assert_eq!(targets(&routes), expected);
    }
}
