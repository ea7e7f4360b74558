//! Rules that read a story and say in one sentence what went wrong and what cures it.

use std::ops::RangeInclusive;

use super::{Entry, Side, StoryEvent};
use crate::cause::Cause;

/// What a cure must name: options of this exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// `rtpstart` to `rtpend`.
    pub ports: RangeInclusive<u16>,
    /// The codecs of the endpoint's `allow=`.
    pub allow: String,
    /// The endpoint's name.
    pub endpoint: String,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            ports: 10_000..=20_000,
            allow: String::new(),
            endpoint: String::new(),
        }
    }
}

/// The first rule that holds. `None`: as far as the story tells, the call was as it should be.
pub fn verdict(events: &[Entry], surroundings: &Surroundings) -> Option<String> {
    let seen = Seen::of(events);
    RULES.iter().find_map(|rule| rule(&seen, surroundings))
}

type Rule = fn(&Seen<'_>, &Surroundings) -> Option<String>;

/// In the order of a call: what fails first explains what fails later.
static RULES: &[Rule] = &[
    offer_refused_by_us,
    no_candidate_pair,
    not_secured,
    nothing_received,
    nothing_sent,
    media_stopped,
    flow_never_came_back,
    refused_by_them,
    busy_exchange,
];

/// What the rules look at.
#[derive(Default)]
struct Seen<'a> {
    up: bool,
    pair: bool,
    secured: bool,
    received: bool,
    sent: bool,
    flow_lost: bool,
    down: Option<(&'a str, bool)>,
    refused_by_us: Option<&'a str>,
    refused_by_them: Option<(u16, &'a str)>,
    ended: Option<(Side, Cause)>,
    up_for_ms: u64,
}

impl<'a> Seen<'a> {
    fn of(events: &'a [Entry]) -> Self {
        let mut seen = Self::default();
        let mut up_at_ms = None;
        for entry in events {
            match &entry.event {
                StoryEvent::Up => {
                    seen.up = true;
                    up_at_ms = Some(entry.at_ms);
                }
                StoryEvent::IcePair { .. } => seen.pair = true,
                StoryEvent::Secured { .. } => seen.secured = true,
                StoryEvent::FirstPacket { received: true, .. } => seen.received = true,
                StoryEvent::FirstPacket {
                    received: false, ..
                } => seen.sent = true,
                StoryEvent::FlowLost => seen.flow_lost = true,
                StoryEvent::FlowRestored => seen.flow_lost = false,
                StoryEvent::MediaDown { why, never_up } => seen.down = Some((why, *never_up)),
                StoryEvent::Refused {
                    by: Side::Us, why, ..
                } if !seen.up => {
                    seen.refused_by_us = Some(why);
                }
                StoryEvent::Refused {
                    by: Side::Them,
                    status,
                    why,
                } => {
                    seen.refused_by_them = Some((*status, why));
                }
                StoryEvent::Ended { by, cause } => {
                    seen.ended = Some((*by, *cause));
                    seen.up_for_ms = entry.at_ms.saturating_sub(up_at_ms.unwrap_or(entry.at_ms));
                }
                StoryEvent::Refused { .. }
                | StoryEvent::Sent { .. }
                | StoryEvent::Received { .. }
                | StoryEvent::Offered { .. }
                | StoryEvent::Answered { .. }
                | StoryEvent::Remark { .. }
                | StoryEvent::Application { .. }
                | StoryEvent::Sums { .. }
                | StoryEvent::Digit { .. }
                | StoryEvent::Held
                | StoryEvent::Resumed => {}
            }
        }
        seen
    }

    /// Whether the call was up for long enough that media must have been seen.
    fn should_have_media(&self) -> bool {
        self.up && (self.up_for_ms >= MEDIA_DUE_MS || self.down.is_some())
    }
}

/// A call that was up for less than this may have ended before its media began.
const MEDIA_DUE_MS: u64 = 5_000;

fn offer_refused_by_us(seen: &Seen<'_>, surroundings: &Surroundings) -> Option<String> {
    let why = seen.refused_by_us?;
    let Surroundings {
        endpoint, allow, ..
    } = surroundings;
    Some(format!(
        "The offer could not be accepted: {why}. Endpoint {endpoint} allows {allow}; add what the \
         caller offers to its allow= in pjsip.conf."
    ))
}

fn no_candidate_pair(seen: &Seen<'_>, surroundings: &Surroundings) -> Option<String> {
    (seen.should_have_media() && !seen.pair).then(|| {
        format!(
            "No candidate pair answered (ICE): not one media packet of the caller reached this \
             exchange. Open {} in the firewall towards this machine, or let it be reached by an \
             address the caller can route to.",
            ports(surroundings)
        )
    })
}

fn not_secured(seen: &Seen<'_>, _: &Surroundings) -> Option<String> {
    (seen.should_have_media() && !seen.secured).then(|| {
        "The network path works, but DTLS did not come to an end: the certificate's fingerprint in \
         the description does not fit, or large UDP packets are dropped on the way. Check for a VPN \
         or tunnel with a small MTU."
            .to_owned()
    })
}

fn nothing_received(seen: &Seen<'_>, _: &Surroundings) -> Option<String> {
    (seen.should_have_media() && !seen.received).then(|| {
        "The media path is up, but the caller sent no packet on it: its microphone and camera are \
         muted, taken by another program, or not permitted for this page."
            .to_owned()
    })
}

fn nothing_sent(seen: &Seen<'_>, _: &Surroundings) -> Option<String> {
    (seen.should_have_media() && !seen.sent).then(|| {
        "The caller's media arrived, but nothing was sent back: no application of the extension \
         plays or echoes anything."
            .to_owned()
    })
}

fn media_stopped(seen: &Seen<'_>, surroundings: &Surroundings) -> Option<String> {
    let (why, _) = seen.down?;
    Some(format!(
        "Media ended in the middle of the call: {why}. The caller's network changed or went away, or \
         a firewall forgot {}.",
        ports(surroundings)
    ))
}

fn flow_never_came_back(seen: &Seen<'_>, _: &Surroundings) -> Option<String> {
    let (by, cause) = seen.ended?;
    (by == Side::Us && cause == Cause::NetworkOutOfOrder && seen.flow_lost).then(|| {
        "The caller's connection for signalling was lost and did not come back: the page was closed \
         or the caller's network went away."
            .to_owned()
    })
}

fn refused_by_them(seen: &Seen<'_>, _: &Surroundings) -> Option<String> {
    let (status, why) = seen.refused_by_them?;
    Some(format!(
        "The caller refused the streams we offered ({status}): {why}. The call went on without them."
    ))
}

fn busy_exchange(seen: &Seen<'_>, _: &Surroundings) -> Option<String> {
    let (_, cause) = seen.ended?;
    (cause == Cause::SwitchCongestion).then(|| {
        "The call was given up because its application no longer read its events; the log names it."
            .to_owned()
    })
}

fn ports(surroundings: &Surroundings) -> String {
    let (first, last) = (surroundings.ports.start(), surroundings.ports.end());
    format!("UDP ports {first}–{last} (rtpstart–rtpend of rtp.conf)")
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::{Entry, Side, StoryEvent, Surroundings, verdict};
    use crate::cause::Cause;

    fn story(events: Vec<StoryEvent>) -> Option<String> {
        let mut entries: Vec<Entry> = events
            .into_iter()
            .map(|event| Entry { at_ms: 10, event })
            .collect();
        if let Some(last) = entries.last_mut() {
            last.at_ms = 60_000;
        }
        verdict(&entries, &Surroundings::default())
    }

    fn ended() -> StoryEvent {
        StoryEvent::Ended {
            by: Side::Them,
            cause: Cause::NormalClearing,
        }
    }

    fn pair() -> StoryEvent {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 10_000));
        StoryEvent::IcePair {
            local: address,
            remote: address,
        }
    }

    fn secured() -> StoryEvent {
        StoryEvent::Secured {
            dtls: "1.2".to_owned(),
            srtp: "AEAD_AES_128_GCM".to_owned(),
        }
    }

    fn packet(received: bool) -> StoryEvent {
        StoryEvent::FirstPacket {
            kind: "audio",
            received,
        }
    }

    #[test]
    fn a_good_call_has_no_verdict() {
        let events = vec![
            StoryEvent::Up,
            pair(),
            secured(),
            packet(true),
            packet(false),
            ended(),
        ];
        assert_eq!(story(events), None);
    }

    #[test]
    fn ice_that_never_connected_names_the_port_range() {
        let sentence = story(vec![StoryEvent::Up, ended()]).unwrap();
        assert!(
            sentence.contains("No candidate pair answered"),
            "{sentence}"
        );
        assert!(sentence.contains("10000–20000"), "{sentence}");
    }

    #[test]
    fn each_step_of_media_has_its_own_sentence() {
        let dtls = story(vec![StoryEvent::Up, pair(), ended()]).unwrap();
        assert!(dtls.contains("DTLS"), "{dtls}");
        let muted = story(vec![StoryEvent::Up, pair(), secured(), ended()]).unwrap();
        assert!(muted.contains("microphone"), "{muted}");
        let silent = story(vec![
            StoryEvent::Up,
            pair(),
            secured(),
            packet(true),
            ended(),
        ])
        .unwrap();
        assert!(silent.contains("nothing was sent back"), "{silent}");
    }

    #[test]
    fn a_short_call_is_not_blamed_for_lack_of_media() {
        let entries = [
            Entry {
                at_ms: 0,
                event: StoryEvent::Up,
            },
            Entry {
                at_ms: 900,
                event: ended(),
            },
        ];
        assert_eq!(verdict(&entries, &Surroundings::default()), None);
    }

    #[test]
    fn codec_mismatch_names_the_endpoint_and_its_codecs() {
        let events = [Entry {
            at_ms: 1,
            event: StoryEvent::Refused {
                by: Side::Us,
                status: 488,
                why: "no codec in common on line 1".to_owned(),
            },
        }];
        let surroundings = Surroundings {
            endpoint: "alice".to_owned(),
            allow: "opus,vp8".to_owned(),
            ..Surroundings::default()
        };
        let sentence = verdict(&events, &surroundings).unwrap();
        assert!(
            sentence.contains("no codec in common on line 1"),
            "{sentence}"
        );
        assert!(sentence.contains("alice allows opus,vp8"), "{sentence}");
    }

    #[test]
    fn a_page_that_was_closed_is_recognised() {
        let events = vec![
            StoryEvent::Up,
            pair(),
            secured(),
            packet(true),
            packet(false),
            StoryEvent::FlowLost,
            StoryEvent::Ended {
                by: Side::Us,
                cause: Cause::NetworkOutOfOrder,
            },
        ];
        let sentence = story(events).unwrap();
        assert!(sentence.contains("did not come back"), "{sentence}");
    }
}
