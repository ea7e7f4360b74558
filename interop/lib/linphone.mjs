// linphonec as a desk phone: it says a tone from a file and writes what it hears into another.
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Recording, writeTone } from './sound.mjs';
import { endsWithUs, freePort, temporaryFolder, until, wait } from './server.mjs';

const TONE_S = 240;
const PATIENCE_MS = 10_000;
/** It sleeps for a second after each. */
const DIGIT_MS = 1_100;
/** Every codec it has, since it enables those that its file does not name. */
const CODECS = ['opus/48000/2', 'speex/16000/1', 'speex/8000/1', 'PCMU/8000/1', 'PCMA/8000/1', 'GSM/8000/1', 'G722/8000/1', 'G729/8000/1', 'speex/32000/1'];

/** The name of a policy is its link. Without a server of STUN the candidates are those of this machine. */
const ICE = `nat_policy_ref=ice

[nat_policy_0]
ref=ice
protocols=ice
`;

const listens = (own, kind, port) => (own === kind ? port : 0);

/** A picture that stands still, which it has without a camera; nobody looks at what it is sent. */
const PICTURE = `capture=1
display=0
show_local=0
automatically_initiate=1
device=StaticImage: Static picture
`;
const NO_PICTURE = 'capture=0\ndisplay=0\n';

/** All streams on one port (BUNDLE). */
const BUNDLE = 'bundle=1\naccept_bundle=1\nrtcp_mux=1\n';

const config = ({ codec, encryption, transport, port, ice, digits, pictures, bundle }) => `[sip]
sip_port=${listens(transport, 'udp', port)}
sip_tcp_port=${listens(transport, 'tcp', port)}
sip_tls_port=${listens(transport, 'tls', port)}
verify_server_certs=0
verify_server_cn=0
media_encryption=${encryption}
use_info=${Number(digits === 'info')}
use_rfc2833=${Number(digits !== 'info')}
${encryption === 'none' ? '' : 'media_encryption_mandatory=1\n'}
[rtp]
audio_rtp_port=-1
audio_jitt_comp=60
nortp_timeout=30
${bundle ? BUNDLE : ''}
[sound]
echocancellation=0
remote_ring=

[video]
${pictures ? PICTURE : NO_PICTURE}
[net]
mtu=1300
${ice ? ICE : ''}
${CODECS.map((name, index) => {
  const [mime, rate, channels] = name.split('/');
  return `\n[audio_codec_${index}]\nmime=${mime}\nrate=${rate}\nchannels=${channels}\nenabled=${Number(name.startsWith(codec))}\n`;
}).join('')}`;

/**
 * Starts a phone that registers; `encryption` is `none`, `srtp` (SDES) or `dtls`, `ice` whether it finds its path by checks,
 * `codec` one of its own by name, `digits` the `dtmf_mode` it is for, `pictures` whether it sends one, `bundle` whether that goes
 * by the port of the sound. `host` is where the exchange is, `wrap` words before its
 * command.
 */
export async function startLinphone({ user, password, port, host = '127.0.0.1', wrap = [], ice = false, pictures = false, bundle = false, digits, transport = 'udp', encryption = 'none', codec = 'PCMU', tone_hz = 440, rate_hz = 8_000 }) {
  const folder = await temporaryFolder('linphone');
  await writeFile(join(folder, 'rc'), config({ codec, encryption, transport, ice, digits, pictures, bundle, port: await freePort() }));
  await writeTone(join(folder, 'tone.wav'), tone_hz, TONE_S, rate_hz);
  // Without this folder for its database it starts, but never opens a socket.
  await mkdir(join(folder, '.local/share/linphone'), { recursive: true });
  const [program, ...words] = [...wrap, 'linphonec', ...(pictures ? ['-C'] : []), '-c', join(folder, 'rc'), '-d', '1', '-l', join(folder, 'log')];
  const child = spawn(program, words, {
    cwd: folder,
    env: { ...process.env, HOME: folder },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const phone = new Linphone(child, folder, { tone_hz, rate_hz, host });
  phone.type('soundcard use files', `play ${join(folder, 'tone.wav')}`, `record ${phone.file}`);
  phone.type(`register sip:${user}@${host} <sip:${host}:${port};transport=${transport}> ${password}`);
  return phone;
}

class Linphone {
  constructor(child, folder, own) {
    Object.assign(this, own, { child, folder, log: '', seen: 0, file: join(folder, 'heard.wav') });
    this.recording = new Recording(() => this.file, own.rate_hz);
    this.exit = new Promise((done) => child.on('close', done));
    // It goes on without end when its input is gone.
    endsWithUs(child);
    child.stdin.on('error', () => {});
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (this.log += text));
  }

  type(...lines) {
    for (const line of lines) this.child.stdin.write(`${line}\n`);
  }

  /** It says something new that looks like this. */
  async says(pattern, ms = PATIENCE_MS) {
    const found = await until(`${pattern} of linphonec`, () => pattern.exec(this.log.slice(this.seen)), ms).catch((error) => {
      throw new Error(`${error.message}\n${this.log}`);
    });
    this.seen += found.index + found[0].length;
    return found;
  }

  // What every party of the matrix can do.

  dial(number) {
    this.type(`call sip:${number}@${this.host}`);
  }

  /** The calls it has, by its own numbers. */
  get calls() {
    const ended = new Set([...this.log.matchAll(/Call (\d+) with .* (?:ended|error)/g)].map(([, id]) => id));
    return [...this.log.matchAll(/assigned id (\d+)/g)].map(([, id]) => id).filter((id) => !ended.has(id));
  }

  rings() {
    return this.says(/incoming call from/);
  }

  alerted() {
    return this.says(/ringing/i);
  }

  answer() {
    this.type(`answer ${this.calls.at(-1)}`);
  }

  talks() {
    return this.says(/Media streams established/);
  }

  hangUp() {
    this.type('terminate all');
  }

  ends() {
    return this.says(/Call \d+ with .* (ended|error)/);
  }

  hold() {
    this.type('pause');
  }

  resume() {
    this.type('resume');
  }

  async press(digits) {
    for (const digit of digits) {
      this.type(digit);
      await wait(DIGIT_MS);
    }
  }

  /** Sends the one who calls on to another number, instead of an answer. */
  redirect(number) {
    this.type(`redirect ${this.calls.at(-1)} sip:${number}@${this.host}`);
  }

  /** Turns a call away. */
  refuse() {
    this.type(`terminate ${this.calls.at(-1)}`);
  }

  text(number, words) {
    this.type(`chat sip:${number}@${this.host} ${words}`);
  }

  /** What the caller hears of a refusal: 603 is no `BUSY` to Dial, as with Asterisk. */
  get refusal() {
    return 'SIP Failure Code';
  }

  getsText(words) {
    return this.says(new RegExp(`Message received from .*${words}`));
  }

  transfer(number) {
    this.type(`transfer sip:${number}@${this.host}`);
  }

  /** The digits that came since the mark. */
  async told() {
    return [...this.log.slice(this.since).matchAll(/Receiving tone (.) from/g)].map(([, digit]) => digit).join('');
  }

  mark() {
    this.since = this.log.length;
    return this.recording.mark();
  }

  share(tone_hz) {
    return this.recording.share(tone_hz);
  }

  /** What it said before is not what the next wait is for. */
  forget() {
    this.seen = this.log.length;
  }

  /** Connects its two calls with each other. */
  async transferBoth() {
    const [first, second] = this.calls.slice(-2);
    this.type(`transfer ${first} --to-call ${second}`);
  }

  async stop() {
    this.type('quit');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 3_000);
    await this.exit;
    clearTimeout(timer);
  }
}
