//! Events of a story as a person reads them on the console.

use std::fmt;

use super::{Side, StoryEvent};

impl fmt::Display for StoryEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { message, flow } => write!(f, "--> {message} ({flow})"),
            Self::Received { message, flow } => write!(f, "<-- {message} ({flow})"),
            Self::Offered { by, streams } => {
                write!(f, "{} {streams}", said(*by, "offer", "offers"))
            }
            Self::Answered { by, streams } => {
                write!(f, "{} {streams}", said(*by, "answer", "answers"))
            }
            Self::Refused {
                by, status, why, ..
            } => {
                let who = said(*by, "refuse", "refuses");
                write!(f, "{who} the offer with {status}: {why}")
            }
            Self::Remark { text } => f.write_str(text),
            Self::Up => f.write_str("answered"),
            Self::Application { application, at } => match at.as_str() {
                "" => f.write_str(application),
                at => write!(f, "[{at}] {application}"),
            },
            Self::IcePair { local, remote } => write!(f, "ICE found a way: {local} to {remote}"),
            Self::RtpSource {
                local,
                remote,
                target,
            } => {
                write!(f, "RTP comes from {remote} to {local}")?;
                match target == remote {
                    true => Ok(()),
                    false => write!(f, ", ours goes to {target}"),
                }
            }
            Self::Secured { dtls, srtp } => write!(f, "secured by DTLS {dtls}, {srtp}"),
            Self::FirstPacket { kind, received } => match received {
                true => write!(f, "first packet of {kind} came in"),
                false => write!(f, "first packet of {kind} went out"),
            },
            Self::Sums { .. } => self.sums_in_words(f),
            Self::Digit { digit } => write!(f, "digit {digit}"),
            Self::Held => f.write_str("the far end holds us"),
            Self::Resumed => f.write_str("the far end holds us no longer"),
            Self::FlowLost => f.write_str("the connection for signalling is lost"),
            Self::FlowRestored => f.write_str("the connection for signalling is back"),
            Self::MediaDown { why, never_up, .. } => match never_up {
                true => write!(f, "media never came up: {why}"),
                false => write!(f, "media ended: {why}"),
            },
            Self::Ended { by, cause } => {
                let by = match by {
                    Side::Us => "us",
                    Side::Them => "the far end",
                };
                write!(f, "ended by {by}: {} ({})", cause.english(), cause.q850())
            }
        }
    }
}

impl StoryEvent {
    fn sums_in_words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Sums {
            mline,
            kind,
            packets_in,
            lost,
            jitter_us,
            packets_out,
            lost_out,
            round_trip_us,
            refused,
            ..
        } = self
        else {
            return Ok(());
        };
        let ms = |us: u64| format!("{}.{} ms", us / 1000, us / 100 % 10);
        write!(
            f,
            "{kind} {mline}: {packets_in} packets in ({lost} lost, jitter {}), {packets_out} out ({lost_out} lost)",
            ms(*jitter_us)
        )?;
        if let Some(round_trip_us) = round_trip_us {
            write!(f, ", round trip {}", ms(*round_trip_us))?;
        }
        if *refused > 0 {
            write!(f, ", {refused} of strangers refused")?;
        }
        Ok(())
    }
}

fn said(by: Side, ours: &str, theirs: &str) -> String {
    match by {
        Side::Us => format!("we {ours}"),
        Side::Them => format!("the far end {theirs}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::cause::Cause;
    use crate::story::{Side, StoryEvent};

    #[test]
    fn events_are_sentences() {
        let rows = [
            (
                StoryEvent::Received {
                    message: "INVITE sip:1@h".to_owned(),
                    flow: "udp 192.0.2.1:5060".to_owned(),
                },
                "<-- INVITE sip:1@h (udp 192.0.2.1:5060)",
            ),
            (
                StoryEvent::Application {
                    application: "Answer()".to_owned(),
                    at: "c,1,1".to_owned(),
                },
                "[c,1,1] Answer()",
            ),
            (
                StoryEvent::Sums {
                    mline: 0,
                    kind: "audio",
                    packets_in: 500,
                    lost: 3,
                    jitter_us: 1_250,
                    packets_out: 499,
                    nacks_in: 0,
                    keyframe_requests_in: 0,
                    lost_out: 1,
                    round_trip_us: Some(20_000),
                    refused: 0,
                },
                "audio 0: 500 packets in (3 lost, jitter 1.2 ms), 499 out (1 lost), round trip 20.0 ms",
            ),
            (
                StoryEvent::Ended {
                    by: Side::Them,
                    cause: Cause::UserBusy,
                },
                "ended by the far end: User busy (17)",
            ),
        ];
        for (event, expected) in rows {
            assert_eq!(event.to_string(), expected);
        }
    }
}
