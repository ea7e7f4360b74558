// A phone that speaks SIP in text over any transport, made of Node's own sockets.
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

const PATIENCE_MS = 10_000;

/** Messages that have come and those who wait for one. */
class Inbox {
  constructor() {
    this.messages = [];
    this.waiting = [];
  }

  push(message) {
    const next = this.waiting.shift();
    if (next) next(message);
    else this.messages.push(message);
  }

  /** The next message; `null` if the connection ended. */
  next() {
    if (this.messages.length > 0) return Promise.resolve(this.messages.shift());
    return new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error('no SIP message came')), PATIENCE_MS);
      this.waiting.push((message) => {
        clearTimeout(timer);
        done(message);
      });
    });
  }
}

/** Cuts a stream into messages by Content-Length (RFC 3261 §18.3); `\r\n` between them is a sign of life. */
function framed(inbox) {
  let text = '';
  return (bytes) => {
    text += bytes;
    for (;;) {
      text = text.replace(/^(\r\n)+/, '');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/^content-length: *(\d+)/im.exec(text.slice(0, end))?.[1] ?? 0);
      if (text.length < end + 4 + length) return;
      inbox.push(text.slice(0, end + 4 + length));
      text = text.slice(end + 4 + length);
    }
  };
}

/** One masked text frame of a client (RFC 6455 §5.2). */
function frame(text) {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  const head = payload.length < 126 ? Buffer.from([0x81, 0x80 | payload.length]) : Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ mask[index % 4])]);
}

/** The texts in frames of a server, which are not masked. */
function unframed(inbox) {
  let bytes = Buffer.alloc(0);
  return (more) => {
    bytes = Buffer.concat([bytes, more]);
    while (bytes.length >= 2) {
      const long = (bytes[1] & 127) === 126;
      const head = long ? 4 : 2;
      if (bytes.length < head) return;
      const length = long ? bytes.readUInt16BE(2) : bytes[1] & 127;
      if (bytes.length < head + length) return;
      if ((bytes[0] & 15) <= 2) inbox.push(String(bytes.subarray(head, head + length)));
      bytes = bytes.subarray(head + length);
    }
  };
}

const opened = (socket, event) =>
  new Promise((done, fail) => {
    socket.once(event, done);
    socket.once('error', fail);
  });

export class SipPhone {
  /** `kind`: udp, tcp, tls, ws or wss; `from` is its own address over UDP, `options` are those of the TLS client. */
  static async connect(kind, port, { host = '127.0.0.1', from, ...options } = {}) {
    const phone = new SipPhone(kind);
    if (kind === 'udp') await phone.overUdp(host, port, from);
    else await phone.overStream(host, port, options);
    return phone;
  }

  constructor(kind) {
    this.kind = kind;
    this.inbox = new Inbox();
    this.cseq = 0;
    this.id = randomBytes(6).toString('hex');
  }

  async overUdp(host, port, from) {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    if (from) await new Promise((done) => socket.bind({ address: from }, done));
    socket.on('message', (bytes) => this.inbox.push(String(bytes)));
    await new Promise((done) => socket.connect(port, host, done));
    this.write = (text) => socket.send(text);
    this.close = () => socket.close();
  }

  async overStream(host, port, options) {
    const secure = this.kind === 'tls' || this.kind === 'wss';
    const socket = secure ? connectTls({ host, port, rejectUnauthorized: false, ...options }) : connect(port, host);
    await opened(socket, secure ? 'secureConnect' : 'connect');
    socket.on('error', () => {});
    socket.on('close', () => this.inbox.push(null));
    this.socket = socket;
    this.close = () => socket.destroy();
    if (!this.kind.startsWith('ws')) {
      socket.on('data', framed(this.inbox));
      this.write = (text) => socket.write(text);
      return;
    }
    const lines = ['GET /ws HTTP/1.1', `Host: localhost:${port}`, 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    lines.push(`Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`, 'Sec-WebSocket-Protocol: sip', '', '');
    socket.write(lines.join('\r\n'));
    const answer = String(await opened(socket, 'data'));
    if (!answer.startsWith('HTTP/1.1 101')) throw new Error(answer);
    socket.on('data', unframed(this.inbox));
    this.write = (text) => socket.write(frame(text));
  }

  /** Sends a request of `user` outside a dialog and returns the final response, `null` if there is none. */
  async ask(method, user, { to = user, more = [], body = '' } = {}) {
    this.cseq += 1;
    const branch = `z9hG4bK${this.id}${this.cseq}`;
    const uri = method === 'REGISTER' ? 'sip:127.0.0.1' : `sip:${to}@127.0.0.1`;
    const lines = [`${method} ${uri} SIP/2.0`, `Via: SIP/2.0/${this.kind.toUpperCase()} phone.invalid;branch=${branch};rport`];
    lines.push('Max-Forwards: 70', `From: <sip:${user}@127.0.0.1>;tag=${this.id}`, `To: <sip:${to}@127.0.0.1>`);
    lines.push(`Call-ID: ${this.id}${this.cseq}`, `CSeq: ${this.cseq} ${method}`);
    // Nobody could reach it there: only the connection leads back.
    lines.push(`Contact: <sip:${user}@192.0.2.77:9>`, ...more, `Content-Length: ${body.length}`, '', body);
    this.write(lines.join('\r\n'));
    for (;;) {
      const message = await this.inbox.next();
      if (message === null || /^SIP\/2\.0 [2-6]/.test(message)) return message;
    }
  }

  /** The next request of the exchange. */
  async request() {
    for (;;) {
      const message = await this.inbox.next();
      if (message === null || !message.startsWith('SIP/2.0')) return message;
    }
  }

  /** Answers a request without body. */
  answer(request, status) {
    const kept = request.split('\r\n').filter((line) => /^(Via|From|Call-ID|CSeq):/i.test(line));
    const to = request.split('\r\n').find((line) => /^To:/i.test(line));
    this.write([`SIP/2.0 ${status} Answer`, ...kept, `${to};tag=${this.id}`, 'Content-Length: 0', '', ''].join('\r\n'));
  }
}

export const status = (message) => Number(/^SIP\/2\.0 (\d+)/.exec(message ?? '')?.[1]);

export const header = (message, name) => new RegExp(`^${name}: *(.*?)\\r$`, 'im').exec(message)?.[1];
