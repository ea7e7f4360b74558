//! Phones with plain RTP: what keeps their sound from coming, and ours from reaching them.

use super::{Seen, Surroundings, Verdict, ports};

/// Options of an endpoint that decide where plain RTP goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainRtp {
    /// `rtp_timeout` in seconds; 0 for none.
    pub timeout_s: u32,
    /// `media_address`: announced in place of the address of this machine.
    pub media_address: Option<String>,
}

/// `rtp_timeout` ended the call of a phone.
pub(super) fn rtp_timed_out(seen: &Seen<'_>, surroundings: &Surroundings) -> Option<Verdict> {
    let (_, never_up) = seen.down.filter(|_| seen.timed_out)?;
    let plain = surroundings.plain.as_ref()?;
    let (endpoint, file, seconds) = (&surroundings.endpoint, &surroundings.file, plain.timeout_s);
    let (when, when_russian) = match never_up {
        true => ("came", "пришло"),
        false => ("came any more", "больше не приходило"),
    };
    let (cure, cure_russian) = way_in(surroundings);
    Some(Verdict {
        english: format!(
            "No RTP of the phone {when}: rtp_timeout={seconds} of endpoint {endpoint} in {file} ended \
             the call. {cure}"
        ),
        russian: format!(
            "RTP от телефона {when_russian}: вызов завершён по rtp_timeout={seconds} абонента {endpoint} в \
             {file}. {cure_russian}"
        ),
    })
}

pub(super) fn no_rtp(seen: &Seen<'_>, surroundings: &Surroundings) -> Option<Verdict> {
    surroundings.plain.as_ref()?;
    // Media itself knows why ICE or DTLS of a phone came to nothing.
    if let Some((why, true)) = seen.down.filter(|_| !seen.timed_out) {
        return Some(Verdict {
            english: format!("Media of the phone never came up: {why}."),
            russian: format!("Медиа телефона так и не установилось: {why}."),
        });
    }
    let (cure, cure_russian) = way_in(surroundings);
    (seen.should_have_media() && !seen.pair).then(|| Verdict {
        english: format!("Not one RTP packet of the phone came. {cure}"),
        russian: format!("От телефона не пришло ни одного пакета RTP. {cure_russian}"),
    })
}

/// What keeps the RTP of a phone from coming, in English and in Russian.
fn way_in(surroundings: &Surroundings) -> (String, String) {
    let (first, last) = ports(surroundings);
    let announced = surroundings.plain.as_ref();
    match announced.and_then(|plain| plain.media_address.as_deref()) {
        Some(address) => (
            format!(
                "It was told to send to {address} (media_address of the endpoint): that must be this machine \
                 as the phone sees it, with UDP ports {first}–{last} (rtpstart–rtpend of rtp.conf) open."
            ),
            format!(
                "Ему велено слать на {address} (media_address абонента): это должен быть адрес этой машины, \
                 видимый телефону, с открытыми портами UDP {first}–{last} (rtpstart–rtpend в rtp.conf)."
            ),
        ),
        None => (
            format!(
                "Open UDP ports {first}–{last} (rtpstart–rtpend of rtp.conf) towards this machine; from \
                 outside of its network the phone needs the public address: external_media_address and \
                 local_net of the transport in pjsip.conf."
            ),
            format!(
                "Откройте к этой машине порты UDP {first}–{last} (rtpstart–rtpend в rtp.conf); телефону вне \
                 её сети нужен внешний адрес: external_media_address и local_net транспорта в pjsip.conf."
            ),
        ),
    }
}

/// One-way sound: the phone's packets come, and ours go where its description says, which is elsewhere.
pub(super) fn sent_elsewhere(seen: &Seen<'_>, surroundings: &Surroundings) -> Option<Verdict> {
    let (remote, target) = seen.elsewhere.filter(|_| !seen.is_reported)?;
    let Surroundings { endpoint, file, .. } = surroundings;
    seen.should_have_media().then(|| Verdict {
        english: format!(
            "One-way sound, if the phone is behind NAT: its RTP came from {remote}, ours went to {target}, as \
             its description says, and the phone reported nothing of it. Set rtp_symmetric=yes for endpoint \
             {endpoint} in {file}."
        ),
        russian: format!(
            "Звук в одну сторону, если телефон за NAT: его RTP приходил с {remote}, наш уходил на {target}, \
             как сказано в его описании, и отчётов о нём не было. Задайте rtp_symmetric=yes абоненту \
             {endpoint} в {file}."
        ),
    })
}
