//! `CHANNEL(name)` and other facts of a channel.

use codec::Kind;
use switch::{Channel, Function, QualityItem, SetError, quality};

use super::items::unknown;
use crate::arguments::position;
use crate::gosub::with_arguments;

/// Reads facts of the channel.
pub(crate) static CHANNEL: Function = Function {
    name: "CHANNEL",
    synopsis: "Facts of the channel: name, uniqueid, linkedid, state, channeltype, endpoint, context, exten, rtp, rtcp, …; \
               language, accountcode, musicclass and tonezone can be set, and subroutines to be run when the channel is over: \
               hangup_handler_push, hangup_handler_pop, hangup_handler_wipe",
    read: |call, item| read(call, item).or_else(|| unknown(call, "CHANNEL", item)),
    write: Some(write),
};

fn read(call: &Channel, item: &str) -> Option<String> {
    if let Some((what, rest)) = item.split_once(',') {
        return media(call, what, rest);
    }
    match item.to_ascii_lowercase().as_str() {
        "name" => Some(call.name().to_owned()),
        "uniqueid" => Some(call.unique_id().to_owned()),
        "linkedid" => Some(call.record().fields().linkedid.clone()),
        "state" => Some(call.state().to_owned()),
        "endpoint" => Some(call.endpoint().id.clone()),
        "channeltype" => call.name().split('/').next().map(str::to_owned),
        "context" => Some(call.at.context.clone()),
        "exten" => Some(call.at.exten.clone()),
        "accountcode" => Some(call.record().fields().accountcode.clone()),
        "peer" => call.vars.value("BRIDGEPEER").map(str::to_owned),
        "tonezone" => {
            let config = call.switch().config();
            let own = call.tone_zone().map(str::to_owned);
            Some(own.unwrap_or_else(|| config.indications.country.clone()))
        }
        "musicclass" => Some(call.music_class().to_owned()),
        "language" => Some(call.language().to_owned()),
        _ => None,
    }
}

/// `rtp,dest`, `rtcp,rtt,video`; `rtpqos,audio,rtt` as other channels of Asterisk have it.
fn media(call: &Channel, what: &str, rest: &str) -> Option<String> {
    let mut words = rest.split(',').map(str::trim);
    let (first, second) = (words.next()?, words.next().unwrap_or_default());
    let (item, kind) = match what.trim().eq_ignore_ascii_case("rtpqos") {
        true => (second, first),
        false => (first, second),
    };
    let kind = match kind.to_ascii_lowercase().as_str() {
        "" | "audio" => Kind::Audio,
        "video" => Kind::Video,
        _ => return None,
    };
    let item = item.to_ascii_lowercase();
    match what.trim().to_ascii_lowercase().as_str() {
        "rtp" => rtp(call, &item, kind),
        "rtcp" | "rtpqos" => rtcp(call.stream_account(kind)?, &item),
        _ => None,
    }
}

/// Where media goes, and how.
fn rtp(call: &Channel, item: &str, kind: Kind) -> Option<String> {
    call.stream_account(kind)?;
    let pair = call.account().pair;
    Some(match item {
        "src" => pair.map_or_else(String::new, |(ours, _)| ours.to_string()),
        "dest" => pair.map_or_else(String::new, |(_, theirs)| theirs.to_string()),
        // Media never goes past the exchange.
        "direct" => String::new(),
        "secure" => u8::from(call.is_secure()).to_string(),
        "hold" => u8::from(call.is_on_hold()).to_string(),
        _ => return None,
    })
}

/// What a stream carried and how well, in Asterisk's names and units.
fn rtcp(stream: &rtc::StreamStats, item: &str) -> Option<String> {
    const MICROS: f64 = 1e6;
    let about = &stream.quality;
    let seconds = |us: Option<u64>| number(us.unwrap_or_default() as f64 / MICROS);
    Some(match item {
        "all" => quality(stream, QualityItem::All),
        "all_jitter" => quality(stream, QualityItem::Jitter),
        "all_loss" => quality(stream, QualityItem::Loss),
        "all_rtt" => quality(stream, QualityItem::RoundTrip),
        "all_mes" => quality(stream, QualityItem::Score),
        "local_ssrc" => stream.ssrc_out.unwrap_or_default().to_string(),
        "remote_ssrc" => stream.ssrc_in.unwrap_or_default().to_string(),
        "txcount" | "local_count" => stream.packets_out.to_string(),
        "rxcount" | "remote_count" => stream.packets_in.to_string(),
        "rxploss" | "local_lostpackets" => stream.lost.to_string(),
        "txploss" | "remote_lostpackets" => stream.lost_out.to_string(),
        "rxjitter" | "local_jitter" => seconds(Some(stream.jitter_us)),
        "txjitter" | "remote_jitter" => seconds(stream.jitter_out_us),
        "rtt" => seconds(stream.round_trip_us),
        "rxmes" => number(stream.score_in()),
        "txmes" => number(stream.score_out()),
        _ => {
            let (end, which) = SERIES.iter().find_map(|(end, which)| {
                let rest = item.strip_suffix(end)?;
                Some((rest, *which))
            })?;
            let (series, unit) = match (which, end.split_once('_')) {
                (Which::Jitter, Some(("local", _))) => (&about.jitter_in_us, MICROS),
                (Which::Jitter, Some(("remote", _))) => (&about.jitter_out_us, MICROS),
                (Which::Loss, Some(("local", _))) => (&about.lost_in, 1.0),
                (Which::Loss, Some(("remote", _))) => (&about.lost_out, 1.0),
                (Which::RoundTrip, None) => (&about.round_trip_us, MICROS),
                (Which::Jitter | Which::Loss | Which::RoundTrip, _) => return None,
            };
            let value = match end.rsplit('_').next()? {
                "max" => series.max() as f64,
                "min" => series.min() as f64,
                "normdev" => series.mean(),
                "stdev" => series.deviation(),
                _ => return None,
            };
            number(value / unit)
        }
    })
}

/// `local_maxjitter`, `remote_stdevrxploss`, `normdevrtt`.
#[derive(Clone, Copy)]
enum Which {
    Jitter,
    Loss,
    RoundTrip,
}

const SERIES: [(&str, Which); 3] = [
    ("jitter", Which::Jitter),
    ("rxploss", Which::Loss),
    ("rtt", Which::RoundTrip),
];

/// As C writes `%f`.
fn number(value: f64) -> String {
    format!("{value:.6}")
}

fn write(call: &mut Channel, item: &str, value: &str) -> Result<(), SetError> {
    match item.to_ascii_lowercase().as_str() {
        "musicclass" => call.set_music_class(value.trim()),
        "tonezone" => {
            if !call.set_tone_zone(value.trim()) {
                call.warn(format_args!(
                    "CHANNEL(tonezone): there is no country '{}' in indications.conf",
                    value.trim()
                ));
            }
        }
        "language" if call.set_language(value.trim()) => {}
        "language" => return Err(SetError::Value),
        "accountcode" => return call.record_mut().set("accountcode", value),
        "hangup_handler_push" => return push_handler(call, value),
        // As in Asterisk: what is given takes the place of the one, or of all.
        "hangup_handler_pop" => {
            call.pop_hangup_handler();
            return replace_handler(call, value);
        }
        "hangup_handler_wipe" => {
            call.wipe_hangup_handlers();
            return replace_handler(call, value);
        }
        _ => return Err(SetError::Item),
    }
    Ok(())
}

/// `[[context,]extension,]priority[(argument[,argument…])]`, of which what is left out is where the call stands now.
fn push_handler(call: &mut Channel, value: &str) -> Result<(), SetError> {
    let (place, arguments) = with_arguments(value, ',');
    match position(call, place, ',') {
        Ok(at) => call.push_hangup_handler(at, arguments),
        Err(why) => {
            tracing::warn!(
                channel = call.name(),
                "a hangup handler is not taken: {why}"
            );
            Err(SetError::Value)
        }
    }
}

fn replace_handler(call: &mut Channel, value: &str) -> Result<(), SetError> {
    match value.trim() {
        "" => Ok(()),
        value => push_handler(call, value),
    }
}
