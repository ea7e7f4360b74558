// The sound of a phone whose signalling is SIPp's: says a tone and hears others, by RTP over one socket.
import { createSocket } from 'node:dgram';

import { alaw, fromAlaw, fromUlaw, ulaw } from './law.mjs';
import { until, wait } from './server.mjs';
import { share } from './sound.mjs';

const RATE_HZ = 8_000;
const PACKET_MS = 20;
const SAMPLES = (RATE_HZ * PACKET_MS) / 1_000;
const HEAD_BYTES = 12;
/** How much of what came last is looked at. */
const WINDOW = 20;
const PATIENCE_MS = 8_000;
const HEARD = 0.8;
/** RFC 4733: what a digit is as an event. */
const EVENTS = '0123456789*#ABCD';
const LOUDNESS = 10;

export const PCMU = { type: 0, line: 'a=rtpmap:0 PCMU/8000', encode: ulaw, decode: fromUlaw };
export const PCMA = { type: 8, line: 'a=rtpmap:8 PCMA/8000', encode: alaw, decode: fromAlaw };
const LAWS = [PCMU, PCMA];
export const EVENT_TYPE = 101;

export class Voice {
  /** `tone_hz` is a multiple of 50, so that each packet is like the one before. */
  static async open(tone_hz, ip = '127.0.0.1', port = 0) {
    const voice = new Voice();
    const socket = createSocket('udp4');
    await new Promise((done, fail) => socket.once('error', fail).bind(port, ip, done));
    Object.assign(voice, { ip, tone_hz, socket, port: socket.address().port, packets: [], sequence: 1, time: 0, ssrc: socket.address().port });
    socket.on('message', (bytes, from) => {
      if (bytes.length > HEAD_BYTES && !isRtcp(bytes)) voice.packets.push({ bytes, from, at: performance.now() });
    });
    return voice;
  }

  close() {
    clearInterval(this.saying);
    this.socket.close();
  }

  /** Says its tone to this place until it is told otherwise. */
  say(place, law = PCMU) {
    clearInterval(this.saying);
    this.place = place;
    const sound = Buffer.from(Array.from({ length: SAMPLES }, (_, at) => law.encode(8_000 * Math.sin((2 * Math.PI * this.tone_hz * at) / RATE_HZ))));
    const began = performance.now();
    let sent = 0;
    this.saying = setInterval(() => {
      // What a late timer has missed comes at once, as from any phone under load.
      for (; sent * PACKET_MS <= performance.now() - began; sent += 1) {
        if (!this.pressing) this.send(law.type, sound, this.time);
        this.time += SAMPLES;
      }
    }, PACKET_MS);
  }

  hush() {
    clearInterval(this.saying);
  }

  send(type, payload, time, mark = false) {
    const head = Buffer.alloc(HEAD_BYTES);
    head[0] = 0x80;
    head[1] = type | (mark ? 0x80 : 0);
    head.writeUInt16BE(this.sequence & 0xffff, 2);
    head.writeUInt32BE(time >>> 0, 4);
    head.writeUInt32BE(this.ssrc, 8);
    this.sequence += 1;
    this.socket.send(Buffer.concat([head, payload]), this.place.port, this.place.ip);
  }

  /** Presses a key for so long, as events of RFC 4733. */
  async press(digit, ms = 100) {
    this.pressing = true;
    const began = this.time;
    const event = (passed_ms, end) => {
      const payload = Buffer.from([EVENTS.indexOf(digit), (end ? 0x80 : 0) | LOUDNESS, 0, 0]);
      payload.writeUInt16BE((passed_ms * RATE_HZ) / 1_000, 2);
      this.send(EVENT_TYPE, payload, began, passed_ms === PACKET_MS);
    };
    for (let passed_ms = PACKET_MS; passed_ms < ms; passed_ms += PACKET_MS) {
      event(passed_ms, false);
      await wait(PACKET_MS);
    }
    for (let copy = 0; copy < 3; copy += 1) event(ms, true);
    this.pressing = false;
  }

  /** Only what comes from now on is heard. */
  mark() {
    this.packets = [];
  }

  /** The newest sound. */
  newest() {
    const sound = this.packets.slice(-WINDOW);
    return sound.flatMap(({ bytes }) => {
      const law = LAWS.find(({ type }) => type === (bytes[1] & 0x7f));
      return law ? [...bytes.subarray(HEAD_BYTES)].map(law.decode) : [];
    });
  }

  share(tone_hz) {
    const samples = this.newest();
    return samples.length < WINDOW * SAMPLES ? 0 : share(samples, tone_hz, RATE_HZ);
  }

  /** Hears the tone, in sound that comes from now on. */
  async hears(tone_hz, what = `${tone_hz} Hz are heard where ${this.tone_hz} are said`) {
    this.mark();
    try {
      await until(what, () => this.share(tone_hz) > HEARD, PATIENCE_MS);
    } catch (error) {
      const { from } = this.packets.at(-1) ?? {};
      throw new Error(`${error.message}: ${this.packets.length} packets came, the last of ${from?.address}:${from?.port}, ${this.share(tone_hz).toFixed(2)} of it`);
    }
  }

  /** Something is heard from now on, and not this tone. */
  async hearsOther(tone_hz) {
    this.mark();
    await until(`something else than ${tone_hz} Hz is heard`, () => this.packets.length >= 2 * WINDOW && this.newest().some((sample) => Math.abs(sample) > 500) && this.share(tone_hz) < 0.05, PATIENCE_MS);
  }

  /** Not one packet comes for so long. */
  async hearsNothing(ms = 400) {
    // What is on its way still comes.
    await wait(100);
    this.mark();
    await wait(ms);
    if (this.packets.length > 0) throw new Error(`${this.packets.length} packets came to ${this.ip}:${this.port}, where nothing was to come`);
  }

  /** The types of payload that came since the mark. */
  types() {
    return [...new Set(this.packets.map(({ bytes }) => bytes[1] & 0x7f))];
  }
}

/** RFC 5761 §4. */
const isRtcp = (bytes) => bytes[1] >= 200 && bytes[1] <= 207;

/** Both hear each other. */
export const talk = (one, other) => Promise.all([one.hears(other.tone_hz), other.hears(one.tone_hz)]);
