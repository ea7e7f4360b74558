//! Media of the exchange under test, as a double: signalling is what these tests are about.

use media::{AllocateError, DigitEvent, EchoMode, LegEvent, LegStats, Playable};
use rtc::topology::{Direction, Format, Payload, Stream, Topology};
use rtc::{Outcome, Refused, Round};
use switch::{
    Echo, InboxSender, Joint, LegRequest, MediaCounts, MediaLeg, MediaPlane, Playing, Reply,
};

use super::OFFER;

/// Media that agrees to everything with a fingerprint.
pub(super) struct Media;

impl MediaPlane for Media {
    fn allocate(&self, request: LegRequest<'_>) -> Result<Box<dyn MediaLeg>, AllocateError> {
        let events = request.events;
        Ok(Box::new(Leg { events }))
    }

    fn seats(
        &self,
        _: usize,
        _: Option<&dyn MediaLeg>,
    ) -> Result<Vec<Box<dyn MediaLeg>>, AllocateError> {
        Err(AllocateError::Full)
    }

    fn counts(&self) -> MediaCounts {
        MediaCounts::default()
    }
}

struct Leg {
    events: InboxSender,
}

impl MediaLeg for Leg {
    fn negotiate(&self, round: Round) -> Reply<'_, Result<Outcome, Refused>> {
        Box::pin(async move {
            let (sdp, agreed) = match round {
                Round::Answer { offer } => {
                    if !offer.to_string().contains("a=fingerprint:") {
                        return Err(Refused::NoFingerprint);
                    }
                    let agreed = answering(&offer.to_string());
                    (Some(offer), agreed)
                }
                Round::Offer { want } => (sdp::parse(offering(&want).as_bytes()).ok(), want),
                Round::Recode { .. }
                | Round::Apply { .. }
                | Round::Confirm { .. }
                | Round::Rollback => (None, two_streams()),
            };
            Ok(Outcome {
                sdp,
                agreed,
                notes: Vec::new(),
            })
        })
    }

    fn echo(&self, _: EchoMode) -> Echo {
        Echo::new(())
    }

    fn connect(&self, _: &dyn MediaLeg) -> Option<Joint> {
        Some(Joint::new(()))
    }

    fn play(&self, _: Playable) -> Playing {
        Playing::new((), tokio::sync::oneshot::channel().1)
    }

    fn dial(&self, _: DigitEvent) -> bool {
        true
    }

    /// As if the peer were connected to itself.
    fn refresh(&self) {
        self.events.send(LegEvent::KeyframeWanted);
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn stats(&self) -> Reply<'_, LegStats> {
        Box::pin(async { LegStats::default() })
    }
}

/// An offer of what is wanted.
fn offering(want: &Topology) -> String {
    let holds = |stream: &Stream| stream.direction == Direction::SendOnly;
    match want.iter().any(holds) {
        true => OFFER.replace("a=sendrecv", "a=sendonly"),
        false => OFFER.to_owned(),
    }
}

/// What is agreed by the answer to an offer: as it says, seen from here.
fn answering(offer: &str) -> Topology {
    let direction = match offer {
        held if held.contains("a=sendonly") => Direction::RecvOnly,
        held if held.contains("a=inactive") => Direction::Inactive,
        _ => Direction::SendRecv,
    };
    let agreed = two_streams();
    let streams = agreed.iter().map(|stream| Stream {
        direction,
        ..stream.clone()
    });
    Topology::new(streams.collect())
}

fn two_streams() -> Topology {
    let stream = |(index, (kind, codec)): (usize, (codec::Kind, &str))| Stream {
        mid: Some(index.to_string().into()),
        payloads: vec![Payload {
            number: if index == 0 { 111 } else { 96 },
            format: Format::Codec(codec::by_name(codec).unwrap()),
            rtx: None,
        }],
        ..Stream::wanted(kind, Direction::SendRecv)
    };
    let kinds = [(codec::Kind::Audio, "opus"), (codec::Kind::Video, "vp8")];
    Topology::new(kinds.into_iter().enumerate().map(stream).collect())
}
