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
