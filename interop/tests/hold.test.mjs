// Hold, by a browser, by baresip and by SIPp: who is held hears music and not the other one; after it both hear each
// other again. Beside it a call that is kept by session timers, which takes as long as all of that.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, afterEach, before, test } from 'node:test';

import { barePage, scripts } from '../lib/bare.mjs';
import { startBaresip } from '../lib/baresip.mjs';
import { startChromium } from '../lib/chromium.mjs';
import { DeskPhone } from '../lib/desk.mjs';
import { files, PASSWORD } from '../lib/files.mjs';
import { loudestTone } from '../lib/page.mjs';
import { idle } from '../lib/phone.mjs';
import { ask, startServer, temporaryFolder, until, wait } from '../lib/server.mjs';
import { share, sine } from '../lib/sound.mjs';

const SCENARIOS = resolve(fileURLToPath(import.meta.url), '../../sipp');
/** What each says, and the music of class `tone`. */
const HZ = { alice: 440, desk: 500, plain: 560, wide: 700, tone: 1_000 };
/** The piece without files keeps to the notes of C major. */
const SCALE = [0, 2, 4, 5, 7, 9, 11];

const desk = (name, options) =>
  ['endpoint\ncontext=sets\ndisallow=all', `auth\nusername=${name}\npassword=${PASSWORD}`, 'aor\nmax_contacts=5']
    .map((type, index) => `[${name}]\ntype=${type}${index === 0 ? `\n${options}` : ''}\n`)
    .join('\n');

let server;
let browser;
let folder;
let phones = [];
/** The call that is kept. */
let kept;

function accounts(ports) {
  const written = files('[sets]\nexten => _[a-z].,1,Dial(PJSIP/${EXTEN},20)\n')(ports);
  // Not one codec in common with the phones.
  written['pjsip.conf'] = written['pjsip.conf'].replace('allow=opus,ulaw,vp8', 'allow=opus');
  const account = (name) => `aors=${name}\nauth=${name}\n`;
  written['pjsip.conf'] += `
[transport-udp]
type=transport
protocol=udp
bind=127.0.0.1:${ports.sip}

${desk('plain', `${account('plain')}allow=ulaw\nmoh_suggest=tone`)}
${desk('wide', `${account('wide')}allow=g722`)}
[sipp]
type=endpoint
context=sets
disallow=all
allow=ulaw
moh_suggest=tone
`;
  written['musiconhold.conf'] = `[tone]\nmode=files\ndirectory=${folder}\n`;
  return written;
}

before(async () => {
  folder = await temporaryFolder('music');
  await writeFile(join(folder, 'tone.wav'), sine(HZ.tone, 2));
  server = await startServer({ files: accounts });
  browser = await startChromium({ tone_hz: HZ.alice });
  kept = keepCall();
});

after(async () => {
  await kept;
  await browser?.close();
  await server?.stop();
});

afterEach(async () => {
  for (const phone of phones) await phone.stop();
  phones = [];
  await idle(server, 5_000);
});

/** Runs a scenario; its exit code. */
function sipp(scenario, at, seconds) {
  const words = ['-sf', join(SCENARIOS, `${scenario}.xml`), '-i', '127.0.0.1', '-m', 1, '-nostdin', '-timeout', `${seconds}s`, '-timeout_error'];
  const child = spawn('sipp', [...words, `127.0.0.1:${at.ports.sip}`].map(String), { cwd: folder, stdio: 'ignore' });
  return new Promise((done) => child.on('close', done));
}

/**
 * Refreshed on both legs: SIPp leaves it to the exchange, and baresip, which knows no timers, is asked all the same
 * because of `timers=always`. What became of it: SIPp's code, and the refreshes that baresip got.
 */
async function keepCall() {
  const options = (ports) => {
    const written = accounts(ports);
    written['pjsip.conf'] = written['pjsip.conf'].replace('moh_suggest=tone', 'timers=always\ntimers_sess_expires=90');
    return written;
  };
  const exchange = await startServer({ files: options });
  const phone = await startBaresip({ server: exchange, user: 'plain', password: PASSWORD, account: ';answermode=auto' });
  try {
    await phone.registered();
    await ask(exchange, 'pjsip set logger on');
    const code = await sipp('timer', exchange, 70);
    const sent = exchange.log.match(/--> udp[^\n]*\n(UPDATE|INVITE) sip:plain-/g) ?? [];
    await until('the other is hung up', () => /BYE sip:plain-/.test(exchange.log), 5_000);
    return { code, refreshes: sent.length - 1, log: exchange.log };
  } finally {
    await phone.stop();
    await exchange.stop();
  }
}

async function start(user, options = {}) {
  const phone = await startBaresip({ server, user, password: PASSWORD, tone_hz: HZ[user], account: ';answermode=auto', ...options });
  phones.push(phone);
  await phone.registered();
  return phone;
}

const startPlain = (more = {}) => start('plain', more);
const startWide = (more = {}) => start('wide', { codecs: 'G722/16000/1', rate_hz: 16_000, ...more });

const told = (what, probe) =>
  until(what, probe, 8_000).catch((error) => {
    throw new Error(`${error.message}\n${phones.map(({ log }) => log).join('\n')}\n${server.log}`);
  });

const hears = (phone, who, what) => told(`${what} hears ${who}`, async () => (await phone.heard(HZ[who])) > 0.8);

/**
 * Three seconds of music: as loud as speech, one note of the scale after the other, nothing of the tones of those
 * who talk.
 */
async function hearsPiece(phone, what) {
  await told(`${what} hears music`, async () => {
    const samples = await phone.news(3_000);
    if (samples.length < 2 * phone.rate_hz) return false;
    const level = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    if (!(level > 800 && level < 12_000)) return false;
    const length = Math.floor(phone.rate_hz * 0.36);
    const notes = new Set();
    let off = 0;
    for (let at = 0; at + length <= samples.length; at += length) {
      const piece = samples.slice(at, at + length);
      const shares = Array.from({ length: 45 }, (_, index) => share(piece, 440 * 2 ** ((index + 45 - 69) / 12), phone.rate_hz));
      const note = shares.indexOf(Math.max(...shares)) + 45;
      notes.add(note);
      if (!SCALE.includes(note % 12)) off += 1;
    }
    return notes.size >= 3 && off <= 1;
  });
}

async function loudest(page, hz) {
  await told(`the browser hears ${hz} Hz`, async () => {
    // Chromium feeds Web Audio with what a page plays alone, and a hold takes the track out of its stream.
    await page.evaluate(() => {
      window.player ??= new Audio();
      const tracks = window.__sidetone.pc().getReceivers().map(({ track }) => track);
      window.player.srcObject = new MediaStream(tracks);
      return window.player.play();
    });
    const tone = await page.evaluate(loudestTone, { ms: 800 });
    return Math.abs(tone.hz - hz) < 10 && tone.over_db > 20;
  });
}

/** How loud what is received is: the mean square of a second, full scale being 1. */
async function energy({ ms }) {
  // The adapter inside JsSIP 3.0.13 breaks getStats; a frame has the native one.
  window.native ??= document.body.appendChild(document.createElement('iframe')).contentWindow.RTCPeerConnection.prototype.getStats;
  const look = async () => {
    const stats = [...(await window.native.call(window.__sidetone.pc())).values()];
    return stats.find((entry) => entry.type === 'inbound-rtp' && entry.kind === 'audio');
  };
  const before = await look();
  await new Promise((done) => setTimeout(done, ms));
  const after = await look();
  const lasted = (after?.totalSamplesDuration ?? 0) - (before?.totalSamplesDuration ?? 0);
  return lasted > 0 ? (after.totalAudioEnergy - before.totalAudioEnergy) / lasted : 0;
}

function callWithJsSip({ user, password, port, number }) {
  const ua = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(`ws://localhost:${port}/ws`)],
    uri: `sip:${user}@localhost`,
    password,
  });
  window.leave = () => ua.stop();
  return new Promise((done, fail) => {
    ua.on('registrationFailed', (event) => fail(new Error(`registration: ${event.cause}`)));
    ua.on('registered', () => {
      const session = ua.call(`sip:${number}@localhost`, {
        mediaConstraints: { audio: true, video: false },
        pcConfig: { iceServers: [] },
      });
      const turn = (how, event) =>
        new Promise((changed) => {
          session.once(event, () => changed(true));
          session[how]();
        });
      window.__sidetone = { pc: () => session.connection };
      window.holds = () => turn('hold', 'hold');
      window.resumes = () => turn('unhold', 'unhold');
      window.hangUp = () => session.terminate();
      session.on('failed', (event) => fail(new Error(`call: ${event.cause}`)));
      session.on('confirmed', () => done(true));
    });
    ua.start();
  });
}

async function calls(number) {
  const page = await barePage(browser, server);
  await scripts.jssip(page);
  await page.evaluate(callWithJsSip, { user: 'alice', password: PASSWORD, port: server.ports.http, number });
  return page;
}

test('a browser holds, and the phone hears music; after it both hear each other', async () => {
  const phone = await startPlain();
  const page = await calls('plain');
  const level = () => page.evaluate(energy, { ms: 500 });
  await loudest(page, HZ.plain);
  await hears(phone, 'alice', 'the phone');
  const spoken = await level();
  for (let turn = 1; turn <= 2; turn += 1) {
    await page.evaluate(() => window.holds());
    await hearsPiece(phone, 'the phone');
    assert.equal(await level(), 0);
    await page.evaluate(() => window.resumes());
    await hears(phone, 'alice', 'the phone');
    // Once it has held, Chromium's Web Audio is deaf to a track; its statistics are not: the tone is as loud as before.
    await told('the phone is heard as before', async () => Math.abs((await level()) / spoken - 1) < 0.2);
  }
  // Whoever hangs up in hold ends the call for both.
  await page.evaluate(() => window.holds());
  await page.evaluate(() => window.hangUp());
  await phone.happened('CALL_CLOSED');
  await page.evaluate(() => window.leave());
  await page.close();
});

test('a phone holds, and the browser hears music, and the phone again after it', async () => {
  const phone = await startPlain();
  const page = await calls('plain');
  await loudest(page, HZ.plain);
  for (let turn = 1; turn <= 2; turn += 1) {
    phone.command('hold');
    await loudest(page, HZ.tone);
    phone.command('resume');
    await loudest(page, HZ.plain);
  }
  await page.evaluate(() => window.hangUp());
  await phone.happened('CALL_CLOSED');
  await page.evaluate(() => window.leave());
  await page.close();
});

test('two phones, transcoded: the other hears the music of who holds, and who holds after it', async () => {
  const [plain, wide] = [await startPlain(), await startWide()];
  await plain.call(`sip:wide@127.0.0.1:${server.ports.sip}`);
  await Promise.all([hears(plain, 'wide', 'plain'), hears(wide, 'plain', 'wide')]);
  plain.command('hold');
  await hears(wide, 'tone', 'wide');
  plain.command('resume');
  await hears(wide, 'plain', 'wide');
  assert.match(await ask(server, 'moh show files'), /Class: tone\n\tFile: .*\/tone\n/);
  plain.command('hangup');
  await wide.happened('CALL_CLOSED');
});

test('both hold, one after the other, and hear each other after it', async () => {
  const wide = await startWide();
  const desk = await DeskPhone.start(server, 'sipp', 'wide');
  desk.rate_hz = 8_000;
  desk.heard = async (hz) => share(await desk.news(400), hz, 8_000);
  assert.equal(await desk.invite(), 200);
  desk.say(HZ.desk);
  const talk = () => Promise.all([hears(desk, 'wide', 'the desk phone'), hears(wide, 'desk', 'the other')]);
  await talk();
  await desk.invite({ cseq: 2, lines: ['a=sendonly'] });
  await hears(wide, 'tone', 'the other');
  assert.equal((await desk.news(200)).length, 0);
  await desk.invite({ cseq: 3 });
  await talk();
  // The other holds as well while it is held: each resumes for itself.
  await desk.invite({ cseq: 4, lines: ['a=inactive'] });
  wide.command('hold');
  await wait(700);
  await desk.invite({ cseq: 5 });
  await hearsPiece(desk, 'the desk phone');
  wide.command('resume');
  await hears(desk, 'wide', 'the desk phone');
  desk.hangUp();
  await wide.happened('CALL_CLOSED');
  desk.close();
});

test('hold by 0.0.0.0, by the whole description, by the stream and by UPDATE is one and the same to who is held', async () => {
  const phone = await startPlain();
  const ended = sipp('hold', server, 20);
  // SIPp says nothing, so nothing comes but music: what it hears grows in the hold alone.
  for (let turn = 1; turn <= 4; turn += 1) {
    await told(`music, turn ${turn}`, async () => (await phone.heard(HZ.tone, 300)) > 0.8);
    await told(`its end, turn ${turn}`, async () => (await phone.news(300)).length < 200);
  }
  assert.equal(await ended, 0, server.log);
});

test('a call is kept by session timers, refreshed on each leg', async () => {
  const { code, refreshes, log } = await kept;
  assert.equal(code, 0, log);
  assert.ok(refreshes >= 1, log);
});
