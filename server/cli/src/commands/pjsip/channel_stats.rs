//! `pjsip show channelstats`: what the streams of sound of calls carried, and how well.

use codec::Kind;
use switch::{ChannelHandle, LegStats};

use crate::command::{Command, Outcome, Takes};
use crate::commands::live::Line;
use crate::exchange::Exchange;

pub(crate) static SHOW_CHANNELSTATS: Command = Command {
    path: "pjsip show channelstats",
    takes: Takes::Nothing,
    synopsis: "Show PJSIP Channel Stats",
    doc: "Lists the calls of SIP that have media: packets received and lost on the way here and what\n\
          the far end reports of those it was sent, with the jitter and the round trip in seconds.",
    run: |exchange, _| Box::pin(show_stats(exchange)),
};

async fn show_stats(exchange: &Exchange) -> Outcome {
    let mut rows = Vec::new();
    let handles = exchange.parts.switch.directory().all();
    let is_sip = |handle: &&ChannelHandle| handle.name().starts_with("PJSIP/");
    for handle in handles.iter().filter(is_sip) {
        rows.push((Line::of(handle), handle.stats().await));
    }
    Outcome::Done(table(&rows))
}

const HEAD: &str = "
                                             ...........Receive......... .........Transmit..........
 BridgeId ChannelId ........ UpTime.. Codec.   Count    Lost Pct  Jitter   Count    Lost Pct  Jitter RTT....
 ===========================================================================================================

";

fn table(rows: &[(Line, LegStats)]) -> String {
    if rows.is_empty() {
        return "No objects found.\n\n".to_owned();
    }
    let lines: String = rows.iter().map(|(line, stats)| row(line, stats)).collect();
    format!("{HEAD}{lines}\nObjects found: {}\n\n", rows.len())
}

fn row(line: &Line, stats: &LegStats) -> String {
    let sound = stats.streams.iter().find(|own| own.kind == Kind::Audio);
    let Some(sound) = sound else {
        return format!(" {} not valid\n", line.name);
    };
    let name = line.name.split_once('/').map_or("", |(_, name)| name);
    let codec = stats.codecs.first().map_or("", |codec| codec.name);
    let received = side(sound.packets_in, sound.lost, Some(sound.jitter_us));
    // What the peer missed did not arrive there.
    let arrived = sound.packets_out.saturating_sub(sound.lost_out);
    let percent = percent(sound.lost_out, arrived);
    let sent = columns(
        sound.packets_out,
        sound.lost_out,
        percent,
        sound.jitter_out_us,
    );
    let round_trip = seconds(sound.round_trip_us);
    let clock = line.clock();
    format!(
        " {:>8} {name:<18.18} {clock:<8.8} {codec:<6.6} {received} {sent} {round_trip:>7.3}\n",
        ""
    )
}

fn side(count: u64, lost: u64, jitter_us: Option<u64>) -> String {
    columns(count, lost, percent(lost, count), jitter_us)
}

fn columns(count: u64, lost: u64, percent: u64, jitter_us: Option<u64>) -> String {
    let short = |number: u64| match number > 100_000 {
        true => format!("{:>6}K", number / 1000),
        false => format!("{number:>6} "),
    };
    let jitter = seconds(jitter_us);
    format!(
        "{} {} {percent:>3} {jitter:>7.3}",
        short(count),
        short(lost)
    )
}

fn percent(lost: u64, arrived: u64) -> u64 {
    (lost * 100).checked_div(lost + arrived).unwrap_or(0)
}

fn seconds(us: Option<u64>) -> f64 {
    (us.unwrap_or_default() as f64 / 1e6).min(999.999)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{LegStats, table};
    use crate::commands::channel::tests::line;
    use codec::{Kind, by_name};
    use rtc::{StreamId, StreamStats};

    /// A phone with PCMU whose packets come and go.
    pub(crate) fn stats() -> LegStats {
        LegStats {
            streams: vec![StreamStats {
                stream: StreamId(0),
                kind: Kind::Audio,
                ssrc_in: Some(7),
                ssrc_out: Some(9),
                packets_in: 1470,
                bytes_in: 1470 * 160,
                packets_out: 1518,
                bytes_out: 1518 * 160,
                lost: 30,
                jitter_us: 12_000,
                round_trip_us: Some(81_000),
                lost_out: 18,
                jitter_out_us: Some(4_000),
                quality: Default::default(),
                refused: 0,
                retransmissions_in: 0,
                retransmissions_out: 0,
                nacks_in: 0,
                nacks_out: 0,
                keyframe_requests_in: 0,
                keyframe_requests_out: 0,
            }],
            codecs: vec![by_name("ulaw").unwrap()],
            ..LegStats::default()
        }
    }

    /// The columns are those of Asterisk 20.
    #[test]
    fn stands_in_asterisks_columns() {
        let mut quiet = line();
        quiet.name = "PJSIP/bob-00000005".to_owned();
        let text = table(&[(line(), stats()), (quiet, LegStats::default())]);
        let rows = text.split_once("===\n\n").unwrap().1;
        let expected = concat!(
            "          WS_PHONE_A-0000000 00:00:07 ulaw     1470      30    2   0.012 ",
            "  1518      18    1   0.004   0.081\n",
            " PJSIP/bob-00000005 not valid\n",
            "\nObjects found: 2\n\n",
        );
        assert_eq!(rows, expected);
        assert_eq!(table(&[]), "No objects found.\n\n");
    }

    #[test]
    fn large_numbers_are_thousands() {
        let mut stats = stats();
        stats.streams[0].packets_in = 250_400;
        let text = table(&[(line(), stats)]);
        assert!(text.contains(" ulaw      250K     30    0 "), "{text}");
    }
}
