// A UDP relay between browser and exchange that loses packets, the same ones for the same seed.
import { createSocket } from 'node:dgram';

/** Relays to `target` ({address, port}); `loss` is the share of datagrams dropped each way. */
export async function startRelay({ address, target, loss, seed = 1 }) {
  const random = mulberry32(seed);
  const counts = { passed: 0, dropped: 0 };
  const upstreams = new Map();
  const lost = () => {
    const drop = random() < loss;
    counts[drop ? 'dropped' : 'passed'] += 1;
    return drop;
  };
  const front = createSocket('udp4');
  await new Promise((done) => front.bind(0, address, done));
  front.on('message', (data, from) => {
    const key = `${from.address}:${from.port}`;
    let upstream = upstreams.get(key);
    if (!upstream) {
      upstream = createSocket('udp4');
      upstream.bind(0, address);
      upstream.on('message', (reply) => lost() || front.send(reply, from.port, from.address));
      upstreams.set(key, upstream);
    }
    if (!lost()) upstream.send(data, target.port, target.address);
  });
  return {
    port: front.address().port,
    counts,
    close() {
      front.close();
      for (const upstream of upstreams.values()) upstream.close();
    },
  };
}

function mulberry32(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * Runs in the page before its scripts: the browser learns only the relay's address, and tells none of its
 * own, so that every datagram goes through the relay. `relayTo` is bound by the test: it is told the
 * exchange's candidate and returns the relay's port.
 */
export function throughRelay({ address }) {
  const native = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = async function (description) {
    const lines = description.sdp.split('\r\n');
    const own = lines
      .map((line) => /^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) /i.exec(line))
      .find((match) => match?.[1] === address);
    if (!own) throw new Error(`no candidate on ${address} in:\n${description.sdp}`);
    const port = await window.relayTo(Number(own[2]));
    let kept = 0;
    const sdp = lines
      .filter((line) => !line.startsWith('a=candidate:') || (line.includes(` ${address} `) && (kept += 1) === 1))
      .map((line) => (line.startsWith('a=candidate:') ? line.replace(` ${own[2]} `, ` ${port} `) : line))
      .join('\r\n');
    return native.call(this, { type: description.type, sdp });
  };
  const local = Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, 'localDescription');
  Object.defineProperty(RTCPeerConnection.prototype, 'localDescription', {
    get() {
      const description = local.get.call(this);
      if (!description) return description;
      const sdp = description.sdp.replace(/^a=candidate:.*\r\n/gm, '');
      return { type: description.type, sdp };
    },
  });
}
