// One exchange for many scenes. Each scene has phones of its own, known by addresses of their own, and a context in which
// each of them is an extension; the signalling of the phones is SIPp's, their sound is said and heard by `voice.mjs`.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { gateLine, GO, handed } from './dialogue.mjs';
import { NameServer } from './dns.mjs';
import { ask, endsWithUs, freePort, startServer, temporaryFolder, until } from './server.mjs';
import { isOpen } from './sipp.mjs';
import { Voice } from './voice.mjs';

const RUN_S_MAX = 80;
const PATIENCE_MS = 10_000;
const EXCHANGE = '127.0.0.1';

/** A phone of a scene: options of its endpoint, of its aor, and whole sections. */
const sections = ({ name, ip, uri }, role, { endpoint = '', aor = '', contacts = [uri(role)], identify = true, more = '' }) => `
[${name(role)}]
type=endpoint
context=${name()}
disallow=all
allow=ulaw
aors=${name(role)}
${endpoint}
[${name(role)}]
type=aor
${contacts.map((contact) => `contact=${contact.replaceAll(';', '\\;')}\n`).join('')}${aor}
${identify ? `[${name(role)}]\ntype=identify\nendpoint=${name(role)}\nmatch=${ip(role)}\n` : ''}${more}`;

export class Stage {
  /**
   * `scenes`: {title: {phones: {role: options}, plan: lines, places: roles, transport: 'tcp', play}}. In what is written there `<role>` is the
   * phone's name, `{role}` its address, `{port}` the port of all of them, and `{srv}` a name that SRV leads to the places.
   */
  static async open(scenes) {
    const stage = new Stage();
    stage.port = await freePort();
    stage.scenes = Object.entries(scenes).map(([title, scene], index) => new Scene(stage, title, scene, index + 1));
    stage.names = await NameServer.start(Object.assign({}, ...stage.scenes.map((scene) => scene.records())));
    stage.server = await startServer({ files: (ports) => stage.files(ports), wrap: stage.names.wrap });
    return stage;
  }

  async close() {
    await this.server?.stop();
    this.names.close();
  }

  files(ports) {
    return {
      'pjsip.conf': `[transport-udp]\ntype=transport\nprotocol=udp\nbind=${EXCHANGE}:${ports.sip}\n[transport-tcp]\ntype=transport\nprotocol=tcp\nbind=${EXCHANGE}:${ports.sip}\n${this.scenes.map((scene) => scene.objects()).join('')}`,
      'extensions.conf': this.scenes.map((scene) => scene.context()).join('\n'),
      'http.conf': `[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport=${ports.http}\n`,
      'rtp.conf': '[general]\nrtpstart=21000\nrtpend=21999\n',
    };
  }

  /** Everything that was begun is over. */
  idle() {
    return until('no call is left', async () => /^0 active channels/m.test(await ask(this.server, 'core show channels')), PATIENCE_MS);
  }
}

class Scene {
  constructor(stage, title, scene, number) {
    Object.assign(this, { stage, title, transport: 'udp', ...scene, number, roles: Object.keys(scene.phones), running: [], voices: [] });
    this.name = (role) => (role ? `s${number}-${role}` : `s${number}`);
    this.ip = (role) => `127.20.${number}.${this.roles.indexOf(role) + 1}`;
    // A phone that fails ends the scene at once.
    this.failed = new Promise((_, fail) => (this.fail = fail));
    this.failed.catch(() => {});
    this.srv = `s${number}.test`;
    this.uri = (role, port = stage.port) => `sip:${role}@${this.ip(role)}:${port}${this.transport === 'tcp' ? ';transport=tcp' : ''}`;
  }

  filled(text) {
    return text.replace(/<(\w+)>/g, (whole, role) => (this.roles.includes(role) ? this.name(role) : whole)).replace(/\{(\w+)\}/g, (whole, role) => (this.roles.includes(role) ? this.ip(role) : whole)).replaceAll('{port}', this.stage.port).replaceAll('{srv}', this.srv);
  }

  /** What DNS says of its places: the first is tried first. */
  records() {
    if (!this.places) return {};
    const target = (role) => `${role}.${this.srv}`;
    const hosts = this.places.map((role) => [target(role), { A: [this.ip(role)] }]);
    return { [this.srv]: {}, [`_sip._udp.${this.srv}`]: { SRV: this.places.map((role, index) => [index, 0, this.stage.port, target(role)]) }, ...Object.fromEntries(hosts) };
  }

  objects() {
    return this.roles.map((role) => this.filled(sections(this, role, this.phones[role]))).join('');
  }

  context() {
    const own = this.roles.map((role) => `exten => ${role},1,Dial(PJSIP/${this.name(role)},20)`);
    return this.filled([`[${this.name()}]`, ...(this.plan ?? []), ...own, ''].join('\n'));
  }

  /** A phone of this scene begins its dialogue, from a port of its own if it has several at once. */
  /** `endless`: its dialogue goes on as often as it is asked, until the scene is over. */
  async start(role, dialogue, { port = this.stage.port, calls = 1, a_second = 10, endless = false } = {}) {
    const phone = await Sipp.start(dialogue, { ip: this.ip(role), port, transport: this.transport, calls, a_second, to: this.stage.server.ports.sip });
    phone.endless = endless;
    phone.ended.catch((error) => this.fail(error));
    this.running.push(phone);
    return phone;
  }

  async voice(tone_hz, ip, port) {
    const voice = await Voice.open(tone_hz, ip, port);
    this.voices.push(voice);
    return voice;
  }

  ask(line) {
    return ask(this.stage.server, this.filled(line));
  }

  get log() {
    return this.stage.server.log;
  }

  /** Plays it to the end of all its dialogues. */
  async perform() {
    try {
      await Promise.race([this.play(this), this.failed]);
      await Promise.all(this.running.filter(({ endless }) => !endless).map(({ ended }) => ended));
    } catch (error) {
      const traces = await Promise.all(this.running.map(async (phone) => `${phone.ip}:${phone.port}\n${await phone.text()}`));
      throw new Error(`${this.title}: ${error.message}\n${traces.join('\n')}`, { cause: error });
    } finally {
      for (const phone of this.running) await phone.stop();
      for (const voice of this.voices) voice.close();
    }
  }
}

/** SIPp in one dialogue. */
class Sipp {
  static async start(dialogue, { ip, port, transport, calls, a_second, to }) {
    const folder = await temporaryFolder('sipp');
    const path = (name) => join(folder, name);
    await writeFile(path('scenario.xml'), dialogue.xml());
    const words = ['-sf', path('scenario.xml'), '-i', ip, '-p', port, '-mi', ip, '-t', transport === 'tcp' ? 't1' : 'u1', '-m', calls, '-r', a_second, '-l', calls, '-nostdin', '-timeout', `${RUN_S_MAX}s`, '-timeout_error'];
    words.push('-trace_msg', '-message_file', path('messages'), '-trace_err', '-error_file', path('errors'), '-trace_logs', '-log_file', path('logs'));
    words.push(`${EXCHANGE}:${to}`);
    const child = spawn('sipp', words.map(String), { cwd: folder, stdio: 'ignore' });
    endsWithUs(child);
    const phone = new Sipp();
    Object.assign(phone, { ip, port, transport, folder, path, child, gates: 0, isOver: false });
    phone.ended = new Promise((done, fail) => {
      child.on('error', fail);
      child.on('close', async (code) => {
        phone.isOver = true;
        if (code === 0) return done();
        fail(new Error(`SIPp at ${ip} ended with ${code}: ${(await phone.read('errors')).slice(0, 2_000)}`));
      });
    });
    phone.ended.catch(() => {});
    if (dialogue.callId !== 'Call-ID: [call_id]') await until('SIPp listens', () => phone.isOver || isOpen(transport, port, ip), PATIENCE_MS);
    return phone;
  }

  read(name) {
    return readFile(this.path(name), 'utf8').catch(() => '');
  }

  /** All that was said, with its times. */
  text() {
    return this.read('messages');
  }

  /** [{sent, at_ms, text}], in order; the time is that of the day. */
  async messages() {
    const parts = (await this.text()).split(/^-{40,} \S+ (\d+):(\d+):([\d.]+)\n/m).slice(1);
    const messages = [];
    for (let at = 0; at + 3 < parts.length; at += 4) {
      const [hours, minutes, seconds, part] = parts.slice(at, at + 4);
      const text = part.slice(part.indexOf('\n\n') + 2);
      messages.push({ sent: / sent /.test(part.slice(0, 40)), at_ms: (hours * 3_600 + minutes * 60 + Number(seconds)) * 1_000, text });
    }
    return messages;
  }

  /** When messages that look so came or went, in milliseconds of the day. */
  async times(sent, pattern) {
    return (await this.messages()).filter((message) => message.sent === sent && pattern.test(message.text)).map(({ at_ms }) => at_ms);
  }

  async found(sent, pattern) {
    return (await this.messages()).filter((message) => message.sent === sent && pattern.test(message.text)).map(({ text }) => text);
  }

  /** What came that looks like this. */
  got(pattern) {
    return this.found(false, pattern);
  }

  said(pattern) {
    return this.found(true, pattern);
  }

  /** Waits for such a message, and has the newest one. */
  async awaits(pattern, ms = PATIENCE_MS) {
    await until(`${pattern} comes to SIPp at ${this.ip}`, async () => this.isOver || (await this.got(pattern)).length > 0, ms);
    const found = (await this.got(pattern)).at(-1);
    if (!found) await this.ended.then(() => Promise.reject(new Error(`SIPp at ${this.ip} ended without ${pattern}`)));
    return found;
  }

  /** Where the exchange wants its sound: of its newest description. */
  async place() {
    const text = await this.awaits(/^m=audio/m);
    return { ip: /^c=IN IP4 (\S+)/m.exec(text)[1].trim(), port: Number(/^m=audio (\d+)/m.exec(text)[1]) };
  }

  /** SIPp has come to its next gate. */
  async atGate() {
    const line = gateLine(this.gates + 1);
    await until(`SIPp at ${this.ip} is ${line}`, async () => this.isOver || (await this.read('logs')).includes(line), PATIENCE_MS * 2);
    if (this.isOver) await this.ended.then(() => Promise.reject(new Error(`SIPp at ${this.ip} ended before it was ${line}`)));
  }

  /** Lets it through its next gate, with these values. */
  async go(values = {}) {
    await this.atGate();
    this.gates += 1;
    const callId = /^Call-ID: *(\S+)/m.exec(await this.text())[1];
    const lines = [`${GO} sip:sipp@${this.ip} SIP/2.0`, `Via: SIP/2.0/UDP ${EXCHANGE}:9;branch=z9hG4bKgo${this.gates}`, 'From: <sip:test@test>;tag=go', 'To: <sip:sipp@test>', `Call-ID: ${callId}`, `CSeq: ${this.gates} ${GO}`, ...Object.entries(values).map(([name, value]) => `${handed(name)}: ${value}`), 'Content-Length: 0', '', ''];
    const text = lines.join('\r\n');
    if (this.transport === 'tcp') {
      await new Promise((done, fail) => connect(this.port, this.ip).once('error', fail).once('close', done).end(text));
    } else {
      const socket = createSocket('udp4');
      await new Promise((done) => socket.send(text, this.port, this.ip, done));
      socket.close();
    }
  }

  /** Ends it, if it has not ended. */
  async stop() {
    if (!this.isOver) this.child.kill('SIGKILL');
    await this.ended.catch(() => {});
    await rm(this.folder, { recursive: true, force: true });
  }
}
