// A desk phone in a few lines: SIP over one UDP socket, RTP over another, everything in the clear.
import { createSocket } from 'node:dgram';

import { fromUlaw, ulaw } from './law.mjs';
import { until, wait } from './server.mjs';

async function socket() {
  const own = createSocket('udp4');
  await new Promise((done) => own.bind(0, '127.0.0.1', done));
  return own;
}

export class DeskPhone {
  /** The phone of `user`, which calls `number`. */
  static async start(server, user, number = '600') {
    const phone = new DeskPhone();
    Object.assign(phone, { server, user, number, sip: await socket(), rtp: await socket(), received: [], packets: [], sequence: 0 });
    phone.id = Math.random().toString(36).slice(2);
    phone.sip.on('message', (bytes) => phone.onMessage(String(bytes)));
    phone.rtp.on('message', (bytes, from) => phone.packets.push({ bytes, from }));
    return phone;
  }

  close() {
    clearInterval(this.saying);
    this.sip.close();
    this.rtp.close();
  }

  onMessage(text) {
    this.received.push(text);
    if (!text.startsWith('BYE')) return;
    const kept = text.split('\r\n').filter((line) => /^(Via|From|To|Call-ID|CSeq):/i.test(line));
    this.send(['SIP/2.0 200 OK', ...kept, 'Content-Length: 0', '', '']);
  }

  send(lines) {
    this.sip.send(lines.join('\r\n'), this.server.ports.sip, '127.0.0.1');
  }

  request(method, cseq, more = [], body = '') {
    const { port } = this.sip.address();
    const to = this.toTag ? `<sip:${this.number}@127.0.0.1>;tag=${this.toTag}` : `<sip:${this.number}@127.0.0.1>`;
    const lines = [`${method} sip:${this.number}@127.0.0.1:${this.server.ports.sip} SIP/2.0`, `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${this.id}${cseq}${method}`];
    lines.push('Max-Forwards: 70', `From: <sip:${this.user}@127.0.0.1>;tag=${this.id}`, `To: ${to}`, `Call-ID: ${this.id}`, `CSeq: ${cseq} ${method}`);
    lines.push(`Contact: <sip:${this.user}@127.0.0.1:${port}>`, ...more, `Content-Length: ${Buffer.byteLength(body)}`, '', body);
    this.send(lines);
  }

  /** Offers one audio stream; the status of the answer. `sdp` is the answer's description. */
  async invite({ cseq = 1, profile = 'RTP/AVP', formats = '0', lines = [] } = {}) {
    const { port } = this.rtp.address();
    const sdp = ['v=0', `o=- 1 ${cseq} IN IP4 127.0.0.1`, 's=-', 'c=IN IP4 127.0.0.1', 't=0 0', `m=audio ${port} ${profile} ${formats}`, ...lines, ''];
    this.request('INVITE', cseq, ['Content-Type: application/sdp'], sdp.join('\r\n'));
    const final = () => this.received.find((text) => /^SIP\/2\.0 [2-6]/.test(text) && text.includes(`CSeq: ${cseq} INVITE`));
    await until('a final answer', () => Boolean(final()), 5_000).catch((error) => {
      throw new Error(`${error.message}\n${this.received.join('\n')}\n${this.server.log}`);
    });
    const answer = final();
    this.toTag = /^To:.*;tag=([^;\r]+)/im.exec(answer)[1];
    this.request('ACK', cseq);
    this.sdp = answer.slice(answer.indexOf('\r\n\r\n') + 4);
    this.port = Number(/^m=audio (\d+)/m.exec(this.sdp)?.[1]);
    return Number(answer.split(' ')[1]);
  }

  hangUp() {
    clearInterval(this.saying);
    this.request('BYE', 99);
  }

  wasHungUp(ms) {
    return until('a BYE', () => this.received.some((text) => text.startsWith('BYE')), ms);
  }

  /** One packet of G.711, from this socket. */
  speak(from = this.rtp, ssrc = 7) {
    const packet = Buffer.alloc(172, this.sequence & 0xff);
    packet.writeUInt16BE(0x8000, 0);
    packet.writeUInt16BE(this.sequence, 2);
    packet.writeUInt32BE(this.sequence * 160, 4);
    packet.writeUInt32BE(ssrc, 8);
    this.sequence += 1;
    from.send(packet, this.port, '127.0.0.1');
  }

  /** Says this tone until it hangs up, in packets of 20 ms. */
  say(tone_hz) {
    this.saying = setInterval(() => {
      const packet = Buffer.alloc(172);
      packet.writeUInt16BE(0x8000, 0);
      packet.writeUInt16BE(this.sequence & 0xffff, 2);
      packet.writeUInt32BE((this.sequence * 160) >>> 0, 4);
      packet.writeUInt32BE(7, 8);
      for (let at = 0; at < 160; at += 1) {
        packet[12 + at] = ulaw(8_000 * Math.sin((2 * Math.PI * tone_hz * (this.sequence * 160 + at)) / 8_000));
      }
      this.sequence += 1;
      this.rtp.send(packet, this.port, '127.0.0.1');
    }, 20);
  }

  /** The sound of the packets that come from now on, for so long. */
  async news(ms) {
    const before = this.packets.length;
    await wait(ms);
    const news = this.packets.slice(before).filter(({ bytes }) => (bytes[1] & 0x7f) === 0);
    return news.flatMap(({ bytes }) => [...bytes.subarray(12)].map(fromUlaw));
  }

  /** Payload types of the packets that came. */
  types() {
    return this.packets.map(({ bytes }) => bytes[1] & 0x7f);
  }
}
