//! What the streams of a channel carried and how well, for `CHANNEL(rtcp,…)` and the `RTPAUDIOQOS` variables.

use codec::Kind;
use media::LegStats;
use rtc::{Series, StreamStats};
use sdp::Sdp;

use super::{Channel, pictures, recode};
use crate::leg;

/// What is known of the media of a channel.
#[derive(Default)]
pub(super) struct Facts {
    /// What it carried when that was last asked.
    pub(super) account: LegStats,
    /// It is encrypted.
    pub(super) is_secure: bool,
    /// The far end's last description.
    pub(super) theirs: Option<Sdp>,
    /// The codecs it can be offered.
    pub(super) sound: recode::Sound,
    /// What it may have of pictures.
    pub(super) sight: pictures::Sight,
}

/// Which quality is told in one text, as Asterisk writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QualityItem {
    /// Counts, the last jitter and round trip, and the scores.
    All,
    /// Jitter, in seconds.
    Jitter,
    /// Packets lost from one report to the next.
    Loss,
    /// Round trips, in seconds.
    RoundTrip,
    /// Scores of how it sounds, 0 to 100.
    Score,
}

impl QualityItem {
    /// Each, and what its variable is called behind `RTPAUDIOQOS`.
    const ALL: [(Self, &'static str); 5] = [
        (Self::All, ""),
        (Self::Jitter, "JITTER"),
        (Self::Loss, "LOSS"),
        (Self::RoundTrip, "RTT"),
        (Self::Score, "MES"),
    ];
}

/// The quality of a stream in words: `name=value;` one after the other.
pub fn quality(stream: &StreamStats, item: QualityItem) -> String {
    let quality = &stream.quality;
    let pairs: Vec<(String, String)> = match item {
        QualityItem::All => return all(stream),
        QualityItem::Jitter => [
            series("rxjitter", &quality.jitter_in_us, MICROS),
            reported("jitter", &quality.jitter_out_us, MICROS),
        ]
        .concat(),
        QualityItem::Loss => [
            series("rxlost", &quality.lost_in, 1.0),
            reported("lost", &quality.lost_out, 1.0),
        ]
        .concat(),
        QualityItem::RoundTrip => series("rtt", &quality.round_trip_us, MICROS).to_vec(),
        QualityItem::Score => [("rxmes", stream.score_in()), ("txmes", stream.score_out())]
            .map(|(name, value)| (name.to_owned(), number(value)))
            .to_vec(),
    };
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={value};"));
    pairs.collect()
}

fn all(stream: &StreamStats) -> String {
    let seconds = |us: Option<u64>| us.unwrap_or_default() as f64 / MICROS;
    format!(
        "ssrc={};themssrc={};lp={};rxjitter={};rxcount={};txjitter={};txcount={};rlp={};rtt={};\
         rxmes={};txmes={}",
        stream.ssrc_out.unwrap_or_default(),
        stream.ssrc_in.unwrap_or_default(),
        stream.lost,
        number(seconds(Some(stream.jitter_us))),
        stream.packets_in,
        number(seconds(stream.jitter_out_us)),
        stream.packets_out,
        stream.lost_out,
        number(seconds(stream.round_trip_us)),
        number(stream.score_in()),
        number(stream.score_out()),
    )
}

fn series(name: &str, series: &Series, unit: f64) -> [(String, String); 4] {
    named(
        [
            format!("min{name}"),
            format!("max{name}"),
            format!("avg{name}"),
            format!("stdev{name}"),
        ],
        series,
        unit,
    )
}

/// The same of what the peer reports.
fn reported(name: &str, series: &Series, unit: f64) -> [(String, String); 4] {
    let names = ["min", "max", "avg", "stdev"].map(|what| format!("reported_{what}{name}"));
    named(names, series, unit)
}

fn named(names: [String; 4], series: &Series, unit: f64) -> [(String, String); 4] {
    let [min, max, mean, deviation] = names;
    [
        (min, number(series.min() as f64 / unit)),
        (max, number(series.max() as f64 / unit)),
        (mean, number(series.mean() / unit)),
        (deviation, number(series.deviation() / unit)),
    ]
}

/// As C writes `%f`.
fn number(value: f64) -> String {
    format!("{value:.6}")
}

impl Channel {
    /// What its media carried when that was last asked: before a step of the dial plan that names it, and at
    /// the end.
    pub fn account(&self) -> &LegStats {
        &self.facts.account
    }

    /// The first stream of a kind, as it was then.
    pub fn stream_account(&self, kind: Kind) -> Option<&StreamStats> {
        self.facts
            .account
            .streams
            .iter()
            .find(|own| own.kind == kind)
    }

    /// Whether its media is encrypted.
    pub fn is_secure(&self) -> bool {
        self.facts.is_secure
    }

    /// Whether its far end holds it.
    pub fn is_on_hold(&self) -> bool {
        self.on_hold
    }

    /// Asks its media what it carried.
    pub(crate) async fn look_at_media(&mut self) {
        let Some(leg) = self.leg.clone() else { return };
        if let Some(account) = leg::stats(&*leg).await {
            self.facts.account = account;
        }
    }

    /// The same before a text is read that asks for it.
    pub(crate) async fn look_at_media_for(&mut self, text: &str) {
        const NAME: &str = "CHANNEL(rt";
        let bytes = text.as_bytes();
        if bytes
            .windows(NAME.len())
            .any(|own| own.eq_ignore_ascii_case(NAME.as_bytes()))
        {
            self.look_at_media().await;
        }
    }

    /// Sets the `RTPAUDIOQOS` variables, which say how the call went.
    pub(super) fn tell_quality(&mut self) {
        for (name, value) in self.qualities("") {
            // Short ones; a full table is told by Set itself.
            let _ = self.vars.set(&name, &value);
        }
    }

    /// The other party's, as `RTPAUDIOQOSBRIDGED`, at the end of a conversation.
    pub(crate) fn tell_quality_of(&mut self, other: &Self) {
        for (name, value) in other.qualities("BRIDGED") {
            let _ = self.vars.set(&name, &value);
        }
    }

    fn qualities(&self, whose: &str) -> Vec<(String, String)> {
        let mut qualities = Vec::new();
        for (kind, name) in [(Kind::Audio, "RTPAUDIOQOS"), (Kind::Video, "RTPVIDEOQOS")] {
            let Some(stream) = self.stream_account(kind) else {
                continue;
            };
            for (item, what) in QualityItem::ALL {
                qualities.push((format!("{name}{what}{whose}"), quality(stream, item)));
            }
        }
        qualities
    }
}

const MICROS: f64 = 1_000_000.0;
