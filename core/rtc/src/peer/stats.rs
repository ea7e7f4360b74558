//! The account of a peer's streams.

use super::StreamId;
use std::net::SocketAddr;

/// What the streams of a peer carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerStats {
    /// The addresses media go between, ours first.
    pub pair: Option<(SocketAddr, SocketAddr)>,
    /// One for each m-line.
    pub streams: Vec<StreamStats>,
}

/// What one stream carried, both ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamStats {
    /// Which stream.
    pub stream: StreamId,
    /// Audio or video.
    pub kind: codec::Kind,
    /// The source we receive, once a packet came.
    pub ssrc_in: Option<u32>,
    /// The source we send with, if we send.
    pub ssrc_out: Option<u32>,
    /// Packets received, repaired ones included, copies not.
    pub packets_in: u64,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Packets sent, retransmissions not counted.
    pub packets_out: u64,
    /// Payload bytes sent.
    pub bytes_out: u64,
    /// Packets lost on the way here and not repaired.
    pub lost: u64,
    /// Interarrival jitter in microseconds.
    pub jitter_us: u64,
    /// How long a packet takes to the peer and back, in microseconds, where reports told.
    pub round_trip_us: Option<u64>,
    /// Packets of ours the peer missed, as it last reported.
    pub lost_out: u64,
    /// Interarrival jitter at the peer in microseconds, as it last reported.
    pub jitter_out_us: Option<u64>,
    /// How that went, from one report to the next.
    pub quality: Quality,
    /// Packets of strangers that were refused.
    pub refused: u64,
    /// Retransmissions the peer sent us.
    pub retransmissions_in: u64,
    /// Retransmissions we sent the peer.
    pub retransmissions_out: u64,
    /// Packets the peer reported missing.
    pub nacks_in: u64,
    /// Packets we reported missing.
    pub nacks_out: u64,
    /// Key frames the peer asked for.
    pub keyframe_requests_in: u64,
    /// Key frames we asked for.
    pub keyframe_requests_out: u64,
}

/// What was measured at each report of ours and of the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// Our jitter, in microseconds.
    pub jitter_in_us: Series,
    /// Packets lost on the way here since the report before.
    pub lost_in: Series,
    /// The peer's jitter, in microseconds.
    pub jitter_out_us: Series,
    /// Packets of ours the peer missed since its report before.
    pub lost_out: Series,
    /// The round trip, in microseconds.
    pub round_trip_us: Series,
}

/// What was measured again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Series {
    count: u32,
    min: u64,
    max: u64,
    sum: u64,
    squares: u128,
}

impl Series {
    /// One more.
    pub fn add(&mut self, value: u64) {
        self.min = if self.count == 0 {
            value
        } else {
            self.min.min(value)
        };
        self.max = self.max.max(value);
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(value);
        let square = u128::from(value) * u128::from(value);
        self.squares = self.squares.saturating_add(square);
    }

    /// The least; 0 where nothing was measured.
    pub fn min(&self) -> u64 {
        self.min
    }

    /// The most.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        match self.count {
            0 => 0.0,
            count => self.sum as f64 / f64::from(count),
        }
    }

    /// The standard deviation.
    pub fn deviation(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        let mean = self.mean();
        let variance = self.squares as f64 / f64::from(self.count) - mean * mean;
        variance.max(0.0).sqrt()
    }
}

/// Gathers the quality of a stream from reports.
#[derive(Default)]
pub(super) struct Measured {
    pub(super) quality: Quality,
    pub(super) jitter_out_us: Option<u64>,
    lost_in: u64,
    lost_out: u64,
}

impl Measured {
    /// What we report now: our jitter, and packets lost in all.
    pub(super) fn on_own(&mut self, jitter_us: u64, lost: u64) {
        self.quality.jitter_in_us.add(jitter_us);
        // A copy that came late takes one back.
        self.quality.lost_in.add(lost.saturating_sub(self.lost_in));
        self.lost_in = lost;
    }

    /// What the peer reports.
    pub(super) fn on_theirs(&mut self, jitter_us: u64, lost: u64) {
        self.jitter_out_us = Some(jitter_us);
        self.quality.jitter_out_us.add(jitter_us);
        let since = lost.saturating_sub(self.lost_out);
        self.quality.lost_out.add(since);
        self.lost_out = lost;
    }

    pub(super) fn on_round_trip(&mut self, us: u64) {
        self.quality.round_trip_us.add(us);
    }
}

impl StreamStats {
    /// How what comes from the peer sounds, from 0 to 100: an estimate after the E-model (ITU-T G.107).
    pub fn score_in(&self) -> f64 {
        let quality = &self.quality;
        score(quality, &quality.jitter_in_us, (self.lost, self.packets_in))
    }

    /// How what the peer is sent sounds there, as far as its reports tell.
    pub fn score_out(&self) -> f64 {
        let quality = &self.quality;
        let arrived = self.packets_out.saturating_sub(self.lost_out);
        score(quality, &quality.jitter_out_us, (self.lost_out, arrived))
    }
}

fn score(quality: &Quality, jitter_us: &Series, (lost, arrived): (u64, u64)) -> f64 {
    let ms = |us: f64| us / 1000.0;
    // A buffer has to wait for the late ones; 10 ms are for what encodes and decodes.
    let jitter_ms = ms(jitter_us.mean()) * 2.0 + ms(jitter_us.deviation());
    let latency_ms = ms(quality.round_trip_us.mean()) + jitter_ms + 10.0;
    let delay = match latency_ms < 160.0 {
        true => latency_ms / 40.0,
        false => (latency_ms - 120.0) / 10.0,
    };
    let lost_percent = match lost + arrived {
        0 => 0.0,
        sent => lost as f64 * 100.0 / sent as f64,
    };
    // G.107 §7.7 has 93.2 where nothing is wrong; G.113 lets each percent that is lost and concealed cost 2.5.
    let rating = (93.2 - delay - lost_percent * 2.5).clamp(0.0, 100.0);
    // G.107 annex B: from the rating to the mean opinion, 1 to 4.5.
    let opinion = 1.0 + 0.035 * rating + 7e-6 * rating * (rating - 60.0) * (100.0 - rating);
    opinion.clamp(1.0, 4.5) * 20.0
}

#[cfg(test)]
mod tests {
    use super::{Quality, Series, score};

    fn series(values: &[u64]) -> Series {
        let mut series = Series::default();
        values.iter().for_each(|value| series.add(*value));
        series
    }

    #[test]
    fn a_series_has_its_mean_and_how_far_its_values_lie_apart() {
        let series = series(&[2, 4, 4, 4, 5, 5, 7, 9]);
        assert_eq!((series.min(), series.max()), (2, 9));
        assert_eq!((series.mean(), series.deviation()), (5.0, 2.0));
        let none = Series::default();
        assert_eq!((none.mean(), none.deviation()), (0.0, 0.0));
    }

    #[test]
    fn loss_and_delay_cost_and_nothing_is_better_than_all_arrived_at_once() {
        let near = Quality::default();
        let far = Quality {
            round_trip_us: series(&[300_000]),
            ..Quality::default()
        };
        let calm = Series::default();
        let best = score(&near, &calm, (0, 1000));
        assert!((87.0..90.0).contains(&best), "{best}");
        let lossy = score(&near, &calm, (50, 950));
        let late = score(&far, &calm, (0, 1000));
        assert!(lossy < best - 5.0 && late < best - 5.0, "{lossy} {late}");
        let unsteady = score(&near, &series(&[30_000, 90_000]), (0, 1000));
        assert!(unsteady < best, "{unsteady}");
        assert_eq!(score(&near, &calm, (1000, 0)), 20.0);
    }
}
