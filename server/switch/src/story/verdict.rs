//! Rules that read a story and say in one sentence what went wrong and what cures it.

use std::fmt;
use std::ops::RangeInclusive;

use serde::Serialize;

use super::{Entry, Side, StoryEvent};
use crate::cause::Cause;

/// What went wrong and what cures it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// In English, as for the log.
    pub english: String,
    /// In Russian.
    pub russian: String,
}

impl Verdict {
    fn new(english: &str, russian: &str) -> Self {
        Self {
            english: english.to_owned(),
            russian: russian.to_owned(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english)
    }
}

/// What a cure must name: options of this exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// `rtpstart` to `rtpend`.
    pub ports: RangeInclusive<u16>,
    /// The codecs of the endpoint's `allow=`.
    pub allow: String,
    /// The endpoint's name.
    pub endpoint: String,
    /// The channel has no packets of its own: it is half of a local call.
    pub is_local: bool,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            ports: 10_000..=20_000,
            allow: String::new(),
            endpoint: String::new(),
            is_local: false,
        }
    }
}

/// The first rule that holds. `None`: as far as the story tells, the call was as it should be.
pub fn verdict(events: &[Entry], surroundings: &Surroundings) -> Option<Verdict> {
    let mut seen = Seen::of(events);
    seen.has_packets = !surroundings.is_local;
    RULES.iter().find_map(|rule| rule(&seen, surroundings))
}

type Rule = fn(&Seen<'_>, &Surroundings) -> Option<Verdict>;

/// In the order of a call: what fails first explains what fails later.
static RULES: &[Rule] = &[
    offer_refused_by_us,
    no_candidate_pair,
    not_secured,
    nothing_received,
    nothing_sent,
    media_stopped,
    flow_never_came_back,
    heavy_loss,
    refused_by_them,
    busy_exchange,
];

/// What the rules look at.
#[derive(Default)]
struct Seen<'a> {
    has_packets: bool,
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
    /// The worst stream, where that is bad enough.
    loss: Option<Loss>,
}

/// Packets of a stream that never arrived, even after retransmission.
#[derive(Clone, Copy)]
struct Loss {
    kind: &'static str,
    lost: u64,
    /// By the caller.
    sent: u64,
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
                // There is nothing to be found or secured before its packets come.
                StoryEvent::RtpSource { .. } => (seen.pair, seen.secured) = (true, true),
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
                StoryEvent::Sums {
                    kind,
                    packets_in,
                    lost,
                    ..
                } => seen.note_loss(kind, *packets_in, *lost),
                StoryEvent::Refused { .. }
                | StoryEvent::Sent { .. }
                | StoryEvent::Received { .. }
                | StoryEvent::Offered { .. }
                | StoryEvent::Answered { .. }
                | StoryEvent::Remark { .. }
                | StoryEvent::Application { .. }
                | StoryEvent::Digit { .. }
                | StoryEvent::Held
                | StoryEvent::Resumed => {}
            }
        }
        seen
    }

    fn note_loss(&mut self, kind: &'static str, arrived: u64, lost: u64) {
        let sent = arrived.saturating_add(lost);
        let is_heavy = sent >= LOSS_PACKETS_MIN && share(lost, sent) >= LOSS_SHARE_MIN;
        let is_worse = self
            .loss
            .is_none_or(|worst| share(lost, sent) > share(worst.lost, worst.sent));
        if is_heavy && is_worse {
            self.loss = Some(Loss { kind, lost, sent });
        }
    }

    /// Whether the call was up for long enough that media must have been seen.
    fn should_have_media(&self) -> bool {
        self.has_packets && self.up && (self.up_for_ms >= MEDIA_DUE_MS || self.down.is_some())
    }
}

/// A call that was up for less than this may have ended before its media began.
const MEDIA_DUE_MS: u64 = 5_000;

/// One packet in twenty, in thousandths: from here on speech suffers even with concealment, and video
/// stands still now and then.
const LOSS_SHARE_MIN: u64 = 50;

/// Fewer packets than five seconds of audio say nothing about a network.
const LOSS_PACKETS_MIN: u64 = 250;

/// In thousandths, rounded down.
fn share(lost: u64, sent: u64) -> u64 {
    lost.saturating_mul(1000) / sent.max(1)
}

fn offer_refused_by_us(seen: &Seen<'_>, surroundings: &Surroundings) -> Option<Verdict> {
    let why = seen.refused_by_us?;
    let Surroundings {
        endpoint, allow, ..
    } = surroundings;
    Some(Verdict {
        english: format!(
            "The offer could not be accepted: {why}. Endpoint {endpoint} allows {allow}; add what the \
             caller offers to its allow= in pjsip.conf."
        ),
        russian: format!(
            "Предложение не удалось принять: {why}. Абоненту {endpoint} разрешено {allow}; добавьте то, \
             что предлагает звонящий, в его allow= в pjsip.conf."
        ),
    })
}

fn no_candidate_pair(seen: &Seen<'_>, surroundings: &Surroundings) -> Option<Verdict> {
    let (first, last) = ports(surroundings);
    (seen.should_have_media() && !seen.pair).then(|| Verdict {
        english: format!(
            "No candidate pair answered (ICE): not one media packet of the caller reached this \
             exchange. Open UDP ports {first}–{last} (rtpstart–rtpend of rtp.conf) in the firewall \
             towards this machine, or let it be reached by an address the caller can route to."
        ),
        russian: format!(
            "Ни одна пара адресов не ответила (ICE): ни один медиапакет звонящего не дошёл до станции. \
             Откройте в межсетевом экране порты UDP {first}–{last} (rtpstart–rtpend в rtp.conf) к этой \
             машине или дайте ей адрес, до которого звонящий может дойти."
        ),
    })
}

fn not_secured(seen: &Seen<'_>, _: &Surroundings) -> Option<Verdict> {
    (seen.should_have_media() && !seen.secured).then(|| {
        Verdict::new(
            "The network path works, but DTLS did not come to an end: the certificate's fingerprint in \
             the description does not fit, or large UDP packets are dropped on the way. Check for a VPN \
             or tunnel with a small MTU.",
            "Путь в сети есть, но DTLS не завершился: отпечаток сертификата в описании не подходит, или \
             большие пакеты UDP теряются по пути. Проверьте, нет ли VPN или туннеля с малым MTU.",
        )
    })
}

fn nothing_received(seen: &Seen<'_>, _: &Surroundings) -> Option<Verdict> {
    (seen.should_have_media() && !seen.received).then(|| {
        Verdict::new(
            "The media path is up, but the caller sent no packet on it: its microphone and camera are \
             muted, taken by another program, or not permitted for this page.",
            "Медиаканал открыт, но звонящий не прислал по нему ни пакета: его микрофон и камера \
             выключены, заняты другой программой или не разрешены этой странице.",
        )
    })
}

fn nothing_sent(seen: &Seen<'_>, _: &Surroundings) -> Option<Verdict> {
    (seen.should_have_media() && !seen.sent).then(|| {
        Verdict::new(
            "The caller's media arrived, but nothing was sent back: no application of the extension \
             plays or echoes anything.",
            "Медиа звонящего дошло, но обратно ничего не отправлено: ни одно приложение этого номера \
             ничего не проигрывает и не возвращает.",
        )
    })
}

fn media_stopped(seen: &Seen<'_>, surroundings: &Surroundings) -> Option<Verdict> {
    let (why, _) = seen.down?;
    let (first, last) = ports(surroundings);
    Some(Verdict {
        english: format!(
            "Media ended in the middle of the call: {why}. The caller's network changed or went away, \
             or a firewall forgot UDP ports {first}–{last} (rtpstart–rtpend of rtp.conf)."
        ),
        russian: format!(
            "Медиа оборвалось посреди вызова: {why}. Сеть звонящего сменилась или пропала, или \
             межсетевой экран забыл порты UDP {first}–{last} (rtpstart–rtpend в rtp.conf)."
        ),
    })
}

fn flow_never_came_back(seen: &Seen<'_>, _: &Surroundings) -> Option<Verdict> {
    let (by, cause) = seen.ended?;
    (by == Side::Us && cause == Cause::NetworkOutOfOrder && seen.flow_lost).then(|| {
        Verdict::new(
            "The caller's connection for signalling was lost and did not come back: the page was closed \
             or the caller's network went away.",
            "Сигнальное соединение звонящего оборвалось и не восстановилось: страницу закрыли, или сеть \
             звонящего пропала.",
        )
    })
}

fn heavy_loss(seen: &Seen<'_>, _: &Surroundings) -> Option<Verdict> {
    let Loss { kind, lost, sent } = seen.loss?;
    let share = share(lost, sent);
    let (percent, tenth) = (share / 10, share % 10);
    let (english, russian) = match kind {
        "video" => ("video", "видео"),
        _ => ("audio", "звука"),
    };
    Some(Verdict {
        english: format!(
            "{percent}.{tenth} % of the caller's {english} packets ({lost} of {sent}) were lost on the \
             way here: its network is overloaded or its radio link is weak. Let the caller use a cable \
             or move closer to the access point, and stop other transfers; if all callers suffer, look \
             at the link of this machine."
        ),
        russian: format!(
            "{percent},{tenth} % пакетов {russian} звонящего ({lost} из {sent}) потерялись по пути \
             сюда: его сеть перегружена или радиосигнал слаб. Пусть звонящий подключится кабелем или \
             подойдёт ближе к точке доступа и остановит другие загрузки; если страдают все, проверьте \
             канал этой машины."
        ),
    })
}

fn refused_by_them(seen: &Seen<'_>, _: &Surroundings) -> Option<Verdict> {
    let (status, why) = seen.refused_by_them?;
    Some(Verdict {
        english: format!(
            "The caller refused the streams we offered ({status}): {why}. The call went on without \
             them."
        ),
        russian: format!(
            "Звонящий отклонил предложенные потоки ({status}): {why}. Вызов продолжился без них."
        ),
    })
}

fn busy_exchange(seen: &Seen<'_>, _: &Surroundings) -> Option<Verdict> {
    let (_, cause) = seen.ended?;
    (cause == Cause::SwitchCongestion).then(|| {
        Verdict::new(
            "The call was given up because its application no longer read its events; the log names it.",
            "Вызов прекращён, потому что его приложение перестало читать события; его имя есть в \
             журнале.",
        )
    })
}

fn ports(surroundings: &Surroundings) -> (u16, u16) {
    (*surroundings.ports.start(), *surroundings.ports.end())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::{Entry, Side, StoryEvent, Surroundings};
    use crate::cause::Cause;

    /// The verdict in English; the Russian one must be there and name the same numbers.
    fn verdict(entries: &[Entry], surroundings: &Surroundings) -> Option<String> {
        let verdict = super::verdict(entries, surroundings)?;
        let is_cyrillic = |c: char| ('\u{400}'..'\u{500}').contains(&c);
        let numbers = |text: &str| -> Vec<String> {
            let numbers = text.split(|c: char| !c.is_ascii_digit());
            let numbers = numbers.filter(|digits| !digits.is_empty());
            numbers.map(str::to_owned).collect()
        };
        assert!(verdict.russian.contains(is_cyrillic), "{verdict:?}");
        assert!(!verdict.english.contains(is_cyrillic), "{verdict:?}");
        assert_eq!(numbers(&verdict.russian), numbers(&verdict.english));
        Some(verdict.english)
    }

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

    /// Half of a local call has neither candidates nor packets of its own.
    #[test]
    fn a_local_channel_is_not_blamed_for_media_it_cannot_have() {
        let entry = |at_ms, event| Entry { at_ms, event };
        let entries = [entry(0, StoryEvent::Up), entry(60_000, ended())];
        assert!(verdict(&entries, &Surroundings::default()).is_some());
        let local = Surroundings {
            is_local: true,
            ..Surroundings::default()
        };
        assert_eq!(verdict(&entries, &local), None);
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

    fn sums(kind: &'static str, packets_in: u64, lost: u64) -> StoryEvent {
        StoryEvent::Sums {
            mline: 0,
            kind,
            packets_in,
            lost,
            jitter_us: 0,
            packets_out: packets_in,
            nacks_in: 0,
            keyframe_requests_in: 0,
            lost_out: 0,
            round_trip_us: None,
            refused: 0,
        }
    }

    fn good_until(mut last: Vec<StoryEvent>) -> Option<String> {
        let mut events = vec![
            StoryEvent::Up,
            pair(),
            secured(),
            packet(true),
            packet(false),
        ];
        events.append(&mut last);
        story(events)
    }

    #[test]
    fn heavy_loss_names_the_worst_stream_and_its_share() {
        let streams = vec![sums("audio", 900, 100), sums("video", 2_380, 340), ended()];
        let sentence = good_until(streams).unwrap();
        assert!(
            sentence.starts_with("12.5 % of the caller's video packets (340 of 2720)"),
            "{sentence}"
        );
        assert!(sentence.contains("cable"), "{sentence}");
        // One packet in twenty is heavy; less is not, nor are a few packets enough to tell.
        assert!(good_until(vec![sums("audio", 950, 50), ended()]).is_some());
        assert_eq!(good_until(vec![sums("audio", 951, 49), ended()]), None);
        assert_eq!(good_until(vec![sums("audio", 100, 100), ended()]), None);
        assert_eq!(good_until(vec![sums("audio", 0, 0), ended()]), None);
        assert!(good_until(vec![sums("audio", 1 << 50, 1 << 50), ended()]).is_some());
    }

    #[test]
    fn what_goes_wrong_in_the_middle_has_its_own_sentence() {
        let why = "nothing came from the peer any more".to_owned();
        let down = StoryEvent::MediaDown {
            why,
            never_up: false,
        };
        let sentence = good_until(vec![down, ended()]).unwrap();
        assert!(sentence.contains("in the middle"), "{sentence}");
        let refused = StoryEvent::Refused {
            by: Side::Them,
            status: 488,
            why: "Not Acceptable Here".to_owned(),
        };
        let sentence = good_until(vec![refused, ended()]).unwrap();
        assert!(sentence.contains("(488)"), "{sentence}");
        let congested = StoryEvent::Ended {
            by: Side::Us,
            cause: Cause::SwitchCongestion,
        };
        let sentence = good_until(vec![congested]).unwrap();
        assert!(sentence.contains("no longer read"), "{sentence}");
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
