// Listens whether media really arrives, and says why not when it does not.

import { failure, type Failure } from './failure';

/** Connectivity checks that found nothing after this long will hardly find anything. */
const CONNECT_MS = 5000;
/** The first packets follow the DTLS handshake at once; this is generous. */
const PACKETS_MS = 5000;
const POLL_MS = 500;

export interface MediaFacts {
  ice: RTCIceConnectionState;
  candidates: number;
  /** Since the call was answered. */
  elapsed_ms: number;
  /** Since ICE connected, or null. */
  connected_ms: number | null;
  packets: number;
  expectsMedia: boolean;
}

/** The rule alone, so that it can be tested. */
export function judge(facts: MediaFacts): Failure | null {
  const { ice, candidates, elapsed_ms, connected_ms, packets, expectsMedia } = facts;
  if (packets > 0) return null;
  if (ice === 'failed') return failure(candidates === 0 ? 'noCandidates' : 'mediaBlocked', `ICE ${ice}`);
  if (connected_ms === null) {
    if (elapsed_ms < CONNECT_MS) return null;
    return failure(candidates === 0 ? 'noCandidates' : 'mediaBlocked', `ICE ${ice}`);
  }
  if (expectsMedia && connected_ms >= PACKETS_MS) return failure('noPackets', `ICE ${ice}, 0 packets`);
  return null;
}

/** Tells `report` when the judgement changes; returns the way to stop. */
export function watchMedia(pc: RTCPeerConnection, report: (failure: Failure | null) => void): () => void {
  const start = performance.now();
  let connectedAt: number | null = null;
  let last: string | null = null;

  const timer = setInterval(async () => {
    const now = performance.now();
    if (['connected', 'completed'].includes(pc.iceConnectionState)) connectedAt ??= now;
    const packets = await packetsReceived(pc);
    const verdict = judge({
      ice: pc.iceConnectionState,
      candidates: (pc.localDescription?.sdp.match(/^a=candidate:/gm) ?? []).length,
      elapsed_ms: now - start,
      connected_ms: connectedAt === null ? null : now - connectedAt,
      packets,
      expectsMedia: pc.getTransceivers().some(({ currentDirection }) => currentDirection === 'sendrecv' || currentDirection === 'recvonly'),
    });
    if ((verdict?.kind ?? null) !== last) {
      last = verdict?.kind ?? null;
      report(verdict);
    }
    if (packets > 0) clearInterval(timer);
  }, POLL_MS);
  return () => clearInterval(timer);
}

async function packetsReceived(pc: RTCPeerConnection): Promise<number> {
  let packets = 0;
  try {
    (await pc.getStats()).forEach((stat) => {
      if (stat.type === 'inbound-rtp') packets += stat.packetsReceived ?? 0;
    });
  } catch {
    // A closed connection has no statistics.
  }
  return packets;
}
