// baresip as a desk phone: it says a tone from a file and writes what it hears into another.
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

import { freePort, temporaryFolder, until, wait } from './server.mjs';

const TONE_S = 60;
const MODULES = '/usr/lib/baresip/modules';

/** A WAV of 16 bits, one channel. */
function wav(samples, rate_hz) {
  const head = Buffer.alloc(44);
  const bytes = samples.length * 2;
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + bytes, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate_hz, 24);
  head.writeUInt32LE(rate_hz * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(bytes, 40);
  const body = Buffer.alloc(bytes);
  samples.forEach((sample, index) => body.writeInt16LE(Math.round(sample * 20_000), index * 2));
  return Buffer.concat([head, body]);
}

/** How much of a piece of sound is this tone: 0 to 1 (Goertzel). */
export function share(samples, tone_hz, rate_hz) {
  const step = (2 * Math.PI * tone_hz) / rate_hz;
  let [one, two, energy] = [0, 0, 0];
  for (const sample of samples) {
    [one, two] = [sample + 2 * Math.cos(step) * one - two, one];
    energy += sample * sample;
  }
  const power = one * one + two * two - 2 * Math.cos(step) * one * two;
  return energy === 0 ? 0 : (2 * power) / (energy * samples.length);
}

/**
 * Starts a phone; `account` are parameters of its account, `tone_hz` what it says, `rate_hz` that of its codec. What it
 * hears is written down until it holds for the first time: baresip 1.0 takes the filter that writes it away then, and
 * does not put it back.
 */
export async function startBaresip({ server, user, password, tone_hz = 440, rate_hz = 8_000, account = '', codecs = 'PCMU/8000/1', transport = 'udp' }) {
  const folder = await temporaryFolder('baresip');
  const ports = { sip: await freePort(), control: await freePort() };
  await mkdir(folder, { recursive: true });
  const tone = Array.from({ length: rate_hz * TONE_S }, (_, index) => Math.sin((2 * Math.PI * tone_hz * index) / rate_hz));
  await writeFile(join(folder, 'tone.wav'), wav(tone, rate_hz));
  const config = `poll_method epoll
sip_listen 127.0.0.1:${ports.sip}
module_path ${MODULES}
module g711.so
module g722.so
module aufile.so
module aubridge.so
module sndfile.so
snd_path ${folder}
module srtp.so
module ice.so
module ctrl_tcp.so
module_app account.so
module_app menu.so
ctrl_tcp_listen 127.0.0.1:${ports.control}
audio_source aufile,${join(folder, 'tone.wav')}
audio_player aubridge,nobody
audio_txmode thread
rtp_stats no
`;
  await writeFile(join(folder, 'config'), config);
  const uri = `<sip:${user}@127.0.0.1:${server.ports.sip};transport=${transport}>`;
  await writeFile(join(folder, 'accounts'), `${uri};auth_user=${user};auth_pass=${password};regint=600;audio_codecs=${codecs}${account}\n`);
  const child = spawn('baresip', ['-f', folder], { stdio: ['ignore', 'pipe', 'pipe'] });
  const phone = new Baresip(child, folder, ports, rate_hz);
  await until('baresip takes commands', () => phone.open(), 10_000);
  return phone;
}

class Baresip {
  constructor(child, folder, ports, rate_hz) {
    this.child = child;
    this.folder = folder;
    this.ports = ports;
    this.rate_hz = rate_hz;
    this.log = '';
    this.events = [];
    this.exit = new Promise((done) => child.on('close', done));
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (this.log += text));
  }

  /** Its control socket, once it listens. */
  async open() {
    const socket = connect(this.ports.control, '127.0.0.1');
    const is_open = await new Promise((done) => {
      socket.once('connect', () => done(true));
      socket.once('error', () => done(false));
    });
    if (!is_open) return false;
    this.socket = socket;
    let rest = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      // Netstrings: length, colon, text, comma.
      for (;;) {
        const colon = rest.indexOf(':');
        const length = colon < 0 ? NaN : Number(rest.subarray(0, colon));
        if (!(rest.length > colon + length + 1)) return;
        this.events.push(JSON.parse(String(rest.subarray(colon + 1, colon + 1 + length))));
        rest = rest.subarray(colon + length + 2);
      }
    });
    return true;
  }

  command(command, params = '') {
    const text = JSON.stringify({ command, params });
    this.socket.write(`${Buffer.byteLength(text)}:${text},`);
  }

  async happened(type, timeoutMs = 8_000) {
    const found = () => this.events.find((event) => event.type === type);
    await until(`${type} of baresip`, () => Boolean(found()), timeoutMs).catch((error) => {
      throw new Error(`${error.message}\n${this.log}`);
    });
    const event = found();
    this.events = this.events.filter((other) => other !== event);
    return event;
  }

  /** Its account is registered: said before anybody listens. */
  async registered() {
    await until('baresip is registered', () => /200 OK .*binding/.test(this.log), 8_000);
  }

  async call(uri) {
    this.command('dial', uri);
    await this.happened('CALL_ESTABLISHED');
  }

  /** All it heard, of the last call. */
  async sound() {
    const name = (await readdir(this.folder)).filter((own) => own.endsWith('-dec.wav')).sort().at(-1);
    const bytes = name ? await readFile(join(this.folder, name)) : Buffer.alloc(0);
    const samples = [];
    for (let at = 44; at + 1 < bytes.length; at += 2) samples.push(bytes.readInt16LE(at));
    return samples;
  }

  /** What it hears from now on, for so long; what came before might still be there when nothing comes. */
  async news(ms) {
    const before = (await this.sound()).length;
    await wait(ms);
    return (await this.sound()).slice(before);
  }

  /** How much of what it hears in the next half second is this tone: 0 to 1; nothing if hardly anything comes. */
  async heard(tone_hz, ms = 500) {
    const news = await this.news(ms);
    return news.length < (ms * this.rate_hz) / 2000 ? 0 : share(news, tone_hz, this.rate_hz);
  }

  async stop() {
    this.socket?.destroy();
    this.child.kill('SIGTERM');
    await this.exit;
  }
}
