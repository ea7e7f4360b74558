//! Rules that read a story and say in one sentence what went wrong and what cures it.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use serde::Serialize;

pub use self::plain::PlainRtp;

use super::{Entry, Side, StoryEvent};
use crate::cause::Cause;

mod plain;

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
    /// The file that it stands in, with the line.
    pub file: String,
    /// The channel has no packets of its own: it is half of a local call.
    pub is_local: bool,
    /// What holds for a phone that has RTP without ICE; `None` for a browser.
    pub plain: Option<PlainRtp>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            ports: 10_000..=20_000,
            allow: String::new(),
            endpoint: String::new(),
            file: "pjsip.conf".to_owned(),
            is_local: false,
            plain: None,
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
    plain::rtp_timed_out,
    plain::no_rtp,
    no_candidate_pair,
    not_secured,
    nothing_received,
    nothing_sent,
    plain::sent_elsewhere,
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
    held: bool,
    /// Where packets come from and where ours go, if these are not the same machine.
    elsewhere: Option<(SocketAddr, SocketAddr)>,
    /// The far end reported on what it was sent.
    is_reported: bool,
    down: Option<(&'a str, bool)>,
    timed_out: bool,
    refused_by_us: Option<(&'a str, bool)>,
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
                StoryEvent::RtpSource { remote, target, .. } => seen.note_source(*remote, *target),
                StoryEvent::Secured { .. } => seen.secured = true,
                StoryEvent::FirstPacket { received: true, .. } => seen.received = true,
                StoryEvent::FirstPacket {
                    received: false, ..
                } => seen.sent = true,
                StoryEvent::FlowLost => seen.flow_lost = true,
                StoryEvent::FlowRestored => seen.flow_lost = false,
                StoryEvent::MediaDown {
                    why,
                    never_up,
                    timed_out,
                } => {
                    seen.down = Some((why, *never_up));
                    seen.timed_out = *timed_out;
                }
                StoryEvent::Refused {
                    by: Side::Us,
                    why,
                    lacks_codec,
                    ..
                } if !seen.up => {
                    seen.refused_by_us = Some((why, *lacks_codec));
                }
                StoryEvent::Refused {
                    by: Side::Them,
                    status,
                    why,
                    ..
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
                    round_trip_us,
                    ..
                } => {
                    seen.is_reported |= round_trip_us.is_some();
                    seen.note_loss(kind, *packets_in, *lost);
                }
                StoryEvent::Held => seen.held = true,
                StoryEvent::Refused { .. }
                | StoryEvent::Sent { .. }
                | StoryEvent::Received { .. }
                | StoryEvent::Offered { .. }
                | StoryEvent::Answered { .. }
                | StoryEvent::Remark { .. }
                | StoryEvent::Application { .. }
                | StoryEvent::Digit { .. }
                | StoryEvent::Resumed => {}
            }
        }
        seen
    }

    /// There is nothing to be found or secured before the packets of a phone come.
    fn note_source(&mut self, remote: SocketAddr, target: SocketAddr) {
        (self.pair, self.secured) = (true, true);
        self.elsewhere = (remote.ip() != target.ip()).then_some((remote, target));
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
    let (why, lacks_codec) = seen.refused_by_us?;
    let Surroundings {
        endpoint,
        allow,
        file,
        ..
    } = surroundings;
    // The reason names its own cure, unless that is another list of codecs.
    let (more, more_russian) = match lacks_codec {
        false => (String::new(), String::new()),
        true => (
            format!(
                " Endpoint {endpoint} allows {allow}; add what the other party has to its allow= in \
                 {file}."
            ),
            format!(
                " Абоненту {endpoint} разрешено {allow}; добавьте то, что есть у другой стороны, в его \
                 allow= в {file}."
            ),
        ),
    };
    Some(Verdict {
        english: format!("The description of the call could not be accepted: {why}.{more}"),
        russian: format!("Описание вызова не удалось принять: {why}.{more_russian}"),
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
    (seen.should_have_media() && !seen.sent && !seen.held).then(|| {
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
mod tests;
