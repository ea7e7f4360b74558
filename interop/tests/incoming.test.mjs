// The exchange calls browsers: its own page in Chromium and Firefox, and other people's phones. Each
// endpoint names a TLS transport; all of them are reached over the WebSocket they registered from.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { barePage, scripts } from '../lib/bare.mjs';
import { startChromium } from '../lib/chromium.mjs';
import { PASSWORD, pinned } from '../lib/files.mjs';
import { startFirefox } from '../lib/firefox.mjs';
import { receivedVideo } from '../lib/page.mjs';
import { hangUp, idle, openPage, registered } from '../lib/phone.mjs';
import { ask, startServer, until, wait } from '../lib/server.mjs';

const ACCOUNT = { user: 'alice', password: PASSWORD };
const FRAMES_MIN = 20;
const LOOK_MS = 2_000;

let server;
let browser;

before(async () => {
  server = await startServer({ files: pinned });
  browser = await startChromium();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const originate = (what) => ask(server, `channel originate PJSIP/alice ${what}`);
const phase = (page) => page.evaluate(() => document.querySelector('[data-testid="phase"]').dataset.phase);
const inPhase = (page, name) => until(`the phase ${name}`, async () => (await phase(page)) === name, 5_000);
const click = (page, id) => page.evaluate((name) => document.querySelector(`[data-testid="${name}"]`).click(), id);
const finished = async () => (await server.status()).stories.at(-1);

/** Pictures come back from the echo: as many as `count` decode `FRAMES_MIN` frames in two seconds. */
async function decodes(page, count) {
  await until('the first frame', async () => (await page.evaluate(receivedVideo)).some(({ frames }) => frames > 0), 8_000);
  const earlier = await page.evaluate(receivedVideo);
  await wait(LOOK_MS);
  const later = await page.evaluate(receivedVideo);
  const moving = later.filter(({ ssrc, frames }) => frames - (earlier.find((one) => one.ssrc === ssrc)?.frames ?? 0) >= FRAMES_MIN);
  assert.equal(moving.length, count, `${JSON.stringify(later)}\n${server.log}`);
}

/** Sound comes back: packets of the echo, counted by the browser. */
const soundPackets = (page) =>
  page.evaluate(async () => {
    const stats = [...(await window.__sidetone.pc().getStats()).values()];
    return stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio')?.packetsReceived ?? 0;
  });

test('Chromium is called, rings, answers, and sees and hears its echo', async () => {
  const page = await openPage(browser, server, { account: ACCOUNT });
  assert.match(await ask(server, 'pjsip show endpoint alice'), /transport\s+: transport-tls/);
  assert.equal(await originate('application Echo'), '');
  await inPhase(page, 'incoming');
  assert.match(await page.title(), /asterisk/, 'the tab says who calls');
  assert.match(await ask(server, 'core show channels'), /PJSIP\/alice-\d+\s+\(None\)\s+Ringing\s+Echo\(\)/);
  await page.keyboard.press('Enter');
  await inPhase(page, 'talking');
  await decodes(page, 1);
  const before = await soundPackets(page);
  await until('sound comes back', async () => (await soundPackets(page)) - before > 10, 1_500);
  await hangUp(page);
  await idle(server, 5_000);
  assert.equal((await finished()).cause.q850, 16);
  await page.close();
});

test('who answers an originated extension gets four pictures of the dial plan', async () => {
  const page = await openPage(browser, server, { account: ACCOUNT });
  await originate('extension 246@sets');
  await inPhase(page, 'incoming');
  await click(page, 'answer');
  await inPhase(page, 'talking');
  await until('four pictures', async () => (await page.evaluate(receivedVideo)).length === 4, 8_000);
  await decodes(page, 4);
  await ask(server, 'channel request hangup all');
  await inPhase(page, 'idle');
  await idle(server, 5_000);
  await page.close();
});

test('a call that is declined, given up, or not wanted beside another ends with its cause', async () => {
  const page = await openPage(browser, server, { account: ACCOUNT });
  await originate('application Echo');
  await inPhase(page, 'incoming');
  await page.keyboard.press('Escape');
  await idle(server, 5_000);
  assert.equal((await finished()).cause.q850, 21, 'declined: 603');

  await originate('application Echo');
  await inPhase(page, 'incoming');
  await ask(server, 'channel request hangup all');
  await inPhase(page, 'idle');
  await idle(server, 5_000);
  assert.equal(await page.evaluate(() => window.__sidetone.state.failure), null, 'who gives up leaves nothing to explain');

  await originate('application Echo');
  await inPhase(page, 'incoming');
  await click(page, 'answer');
  await inPhase(page, 'talking');
  await originate('application Echo');
  await until('the refusal', async () => (await finished()).cause.q850 === 17, 5_000);
  assert.equal(await phase(page), 'talking', 'the call goes on');
  await hangUp(page);
  await idle(server, 5_000);
  await page.close();
});

test('all pages of an account ring, and those that lose go quiet', async () => {
  const pages = [await openPage(browser, server, { account: ACCOUNT }), await openPage(browser, server, { account: ACCOUNT })];
  await originate('application Echo');
  for (const page of pages) await inPhase(page, 'incoming');
  await click(pages[1], 'answer');
  await inPhase(pages[1], 'talking');
  await inPhase(pages[0], 'idle');
  await hangUp(pages[1]);
  await idle(server, 5_000);
  for (const page of pages) await page.close();
});

test('Firefox is called, answers, and sees its echo', async () => {
  const firefox = await startFirefox();
  try {
    const page = await firefox.newPage();
    await page.goto(server.url);
    await page.waitForSelector('[data-testid="user"]');
    await page.type('[data-testid="user"]', ACCOUNT.user);
    await page.type('[data-testid="password"]', ACCOUNT.password);
    await click(page, 'connect');
    await registered(page);
    await originate('application Echo');
    await inPhase(page, 'incoming');
    await click(page, 'answer');
    await inPhase(page, 'talking');
    await decodes(page, 1);
    await click(page, 'hangup');
    await idle(server, 5_000);
  } finally {
    await firefox.close();
  }
});

function answerWithJsSip({ user, password, port }) {
  const ua = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(`ws://localhost:${port}/ws`)],
    uri: `sip:${user}@localhost`,
    password,
  });
  ua.on('newRTCSession', ({ originator, session }) => {
    if (originator !== 'remote') return;
    session.on('peerconnection', ({ peerconnection }) => {
      window.pc = peerconnection;
    });
    window.hangUp = () => session.terminate();
    session.answer({ mediaConstraints: { audio: true, video: true }, pcConfig: { iceServers: [] } });
  });
  window.leave = () => ua.stop();
  return new Promise((done, fail) => {
    ua.on('registrationFailed', (event) => fail(new Error(`registration: ${event.cause}`)));
    ua.on('registered', () => done(true));
    ua.start();
  });
}

async function answerWithSipJs({ user, password, port }) {
  const { Registerer, UserAgent } = window.SIP;
  const agent = new UserAgent({
    uri: UserAgent.makeURI(`sip:${user}@localhost`),
    authorizationUsername: user,
    authorizationPassword: password,
    transportOptions: { server: `ws://localhost:${port}/ws` },
    sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: [] } },
    logBuiltinEnabled: false,
    delegate: {
      onInvite: async (invitation) => {
        await invitation.accept({ sessionDescriptionHandlerOptions: { constraints: { audio: true, video: true } } });
        window.pc = invitation.sessionDescriptionHandler.peerConnection;
        window.hangUp = () => invitation.bye();
      },
    },
  });
  window.leave = () => agent.stop();
  await agent.start();
  const registerer = new Registerer(agent);
  await new Promise((done, fail) => {
    registerer.stateChange.addListener((state) => state === 'Registered' && done());
    registerer.register({ requestDelegate: { onReject: (r) => fail(new Error(`registration ${r.message.statusCode}`)) } });
  });
}

for (const [name, load, answer] of [
  ['JsSIP 3.0.13', scripts.jssip, answerWithJsSip],
  ['SIP.js 0.21.2', scripts.sipjs, answerWithSipJs],
]) {
  test(`${name} is called, answers, and decodes its echo`, async () => {
    const page = await barePage(browser, server);
    await load(page);
    await page.evaluate(answer, { user: ACCOUNT.user, password: ACCOUNT.password, port: server.ports.http });
    await originate('application Echo');
    const frames = () => page.evaluate(async () => (window.pc ? window.videoFrames(window.pc) : []));
    await until('decoded frames', async () => (await frames()).some((stream) => stream.frames >= FRAMES_MIN), 10_000);
    await page.evaluate(() => window.hangUp());
    await idle(server, 5_000);
    await page.evaluate(() => window.leave());
    await page.close();
  });
}
