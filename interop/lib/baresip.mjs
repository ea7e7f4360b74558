// baresip as a desk phone: it says a tone from a file and writes what it hears into another.
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

import { keysIn, spoken } from './keys.mjs';
import { endsWithUs, freePort, temporaryFolder, until, wait } from './server.mjs';
import { Recording, share, writeTone } from './sound.mjs';

/** It hangs up when it has nothing more to say. */
const TONE_S = 240;
const DIGIT_MS = 400;
/** Nobody hears the end of a file of digits. */
const AFTER_MS = 4_000;
const MODULES = '/usr/lib/baresip/modules';

/**
 * Starts a phone; `account` are parameters of its account, `says` (a WAV) or `tone_hz` what it says, `rate_hz` that of
 * its codec. What it hears is written down until it holds for the first time: baresip 1.0 takes the filter that writes it away then, and
 * does not put it back.
 */
export async function startBaresip({ server, user, password, says, tone_hz = 440, rate_hz = 8_000, channels = 1, digits, watches, account = '', codecs = 'PCMU/8000/1', transport = 'udp', port = server.ports.sip }) {
  const folder = await temporaryFolder('baresip');
  const ports = { sip: await freePort(), control: await freePort() };
  await mkdir(folder, { recursive: true });
  const tone = join(folder, 'tone.wav');
  await (says ? writeFile(tone, says) : writeTone(tone, tone_hz, TONE_S, rate_hz, channels));
  const config = `poll_method epoll
sip_listen 127.0.0.1:${ports.sip}
module_path ${MODULES}
module g711.so
module g722.so
module opus.so
module aufile.so
module aubridge.so
module sndfile.so
snd_path ${folder}
module srtp.so
module dtls_srtp.so
module ice.so
module ctrl_tcp.so
module_app account.so
module_app menu.so
${watches ? 'module_app contact.so\nmodule_app presence.so' : ''}
ctrl_tcp_listen 127.0.0.1:${ports.control}
audio_source aufile,${join(folder, 'tone.wav')}
audio_player aubridge,ear
audio_txmode thread
rtp_stats no
rtp_ports 10000-19999
`;
  await writeFile(join(folder, 'config'), config);
  const uri = `<sip:${user}@127.0.0.1:${port};transport=${transport}>`;
  await writeFile(join(folder, 'accounts'), `${uri};auth_user=${user};auth_pass=${password};regint=600;audio_codecs=${codecs}${account}\n`);
  if (watches) await writeFile(join(folder, 'contacts'), `"Watched" <sip:${watches}@127.0.0.1:${port};transport=${transport}>;presence=p2p\n`);
  const child = spawn('baresip', ['-f', folder], { stdio: ['ignore', 'pipe', 'pipe'] });
  const phone = new Baresip(child, folder, ports, { tone_hz, rate_hz, channels, form: digits, host: `127.0.0.1:${port};transport=${transport}` });
  await until('baresip takes commands', () => phone.open(), 10_000).catch((error) => {
    throw new Error(`${error.message}\n${phone.log}`);
  });
  return phone;
}

class Baresip {
  constructor(child, folder, ports, own) {
    Object.assign(this, own, { child, folder, ports, log: '', seen: 0, events: [], digits: '' });
    this.recording = new Recording(() => this.newest(), own.rate_hz, own.channels);
    endsWithUs(child);
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
        this.onEvent(JSON.parse(String(rest.subarray(colon + 1, colon + 1 + length))));
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

  onEvent(event) {
    this.events.push(event);
    if (event.type === 'CALL_DTMF_START') this.digits += event.param;
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

  /** The file of what it hears in the newest call. */
  async newest() {
    const name = (await readdir(this.folder)).filter((own) => own.endsWith('-dec.wav')).sort().at(-1);
    return name && join(this.folder, name);
  }

  // What every party of the matrix can do.

  dial(number) {
    this.command('dial', `sip:${number}@${this.host}`);
  }

  rings() {
    return this.happened('CALL_INCOMING');
  }

  /** The other side rings. */
  alerted() {
    return this.happened('CALL_RINGING');
  }

  answer() {
    this.command('accept');
  }

  talks() {
    return this.happened('CALL_ESTABLISHED');
  }

  hangUp() {
    this.command('hangup');
  }

  ends() {
    return this.happened('CALL_CLOSED');
  }

  hold() {
    this.command('hold');
  }

  resume() {
    this.command('resume');
  }

  async press(digits) {
    if (this.form === 'inband') return this.sayDigits(digits);
    for (const digit of digits) {
      this.command('sndcode', digit);
      await wait(DIGIT_MS);
    }
  }

  /** Says digits as a person with a tone dialler would: into the microphone. */
  async sayDigits(digits) {
    const path = join(this.folder, `digits-${(this.said = (this.said ?? 0) + 1)}.wav`);
    const steps = [...digits].flatMap((digit) => [[digit, DIGIT_MS / 4], ['', DIGIT_MS / 4]]);
    await writeFile(path, spoken([['', DIGIT_MS / 2], ...steps, ['', AFTER_MS]], this.rate_hz));
    this.command('ausrc', `aufile,${path}`);
    await wait(DIGIT_MS + (digits.length * DIGIT_MS) / 2);
    this.command('ausrc', `aufile,${join(this.folder, 'tone.wav')}`);
  }

  /** The digits that came since the mark: as events and by INFO, or as tones in what it hears. */
  async told() {
    return this.form === 'inband' ? keysIn(await this.recording.all(), this.rate_hz).map(({ key }) => key).join('') : this.digits;
  }

  /** It says something new that looks like this. */
  async says(pattern, ms = 8_000) {
    const found = await until(`${pattern} of baresip`, () => pattern.exec(this.log.slice(this.seen)), ms).catch((error) => {
      throw new Error(`${error.message}\n${this.log}`);
    });
    this.seen += found.index + found[0].length;
  }

  /** The one it watches is `busy`, or `ready` again. */
  sees(how) {
    return this.says(how === 'busy' ? /changed status.* to .*Busy/ : /changed status.* to .*Online/);
  }

  /** Turns a call away. */
  refuse() {
    this.command('hangup');
  }

  transfer(number) {
    this.command('transfer', `sip:${number}@127.0.0.1`);
  }

  mark() {
    this.digits = '';
    return this.recording.mark();
  }

  /**
   * Whether it writes nothing down: once a call was negotiated anew, baresip 1.0 leaves its recorder out of what it
   * hears. What it hears can still be said back.
   */
  async isDeaf() {
    const { path, bytes } = await this.recording.size();
    return path === this.recording.from.path && bytes === this.recording.from.bytes;
  }

  /** Says back what it hears in place of its tone, or its tone again. */
  echoes(on) {
    // Its player may have been left without the other end.
    if (on) this.command('auplay', 'aubridge,ear');
    this.command('ausrc', on ? 'aubridge,ear' : `aufile,${join(this.folder, 'tone.wav')}`);
  }

  share(tone_hz) {
    return this.recording.share(tone_hz);
  }

  /** What happened before is not what the next wait is for. */
  forget() {
    this.events = [];
  }

  async stop() {
    this.socket?.destroy();
    this.child.kill('SIGTERM');
    await this.exit;
  }
}
