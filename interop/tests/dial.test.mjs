// Browsers call each other by Dial: pictures and a tone of its own each way, forks, races, and what the dial
// plan learns of calls that nobody took.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { barePage, scripts } from '../lib/bare.mjs';
import { startChromium } from '../lib/chromium.mjs';
import { files, PASSWORD } from '../lib/files.mjs';
import { loudestTone, receivedVideo } from '../lib/page.mjs';
import { hangUp, idle, openPage } from '../lib/phone.mjs';
import { startServer, until, wait } from '../lib/server.mjs';

const PLAN = `[sets]
exten => 201,1,Dial(PJSIP/bob,20)
exten => 202,1,Dial(PJSIP/bob&PJSIP/carol,20)
exten => 203,1,Dial(PJSIP/bob,1)
 same => n,Goto(\${DIALSTATUS},1)
exten => 204,1,Dial(PJSIP/dave,20)
 same => n,Goto(\${DIALSTATUS},1)
exten => 205,1,Dial(PJSIP/bob,20)
exten => NOANSWER,1,Answer()
 same => n,Echo()
exten => BUSY,1,Hangup(17)
exten => CHANUNAVAIL,1,Hangup(20)
exten => h,1,NoOp(\${DIALSTATUS} \${HANGUPCAUSE} \${DIALEDPEERNUMBER})
`;
const HZ = { alice: 440, bob: 700 };
const FRAMES_MIN = 20;
const LOOK_MS = 2_000;

let server;
const browsers = {};
const pages = {};

/** The one account of the other tests, four times. */
function accounts(ports) {
  const written = files(PLAN)(ports);
  const [head, alice] = written['pjsip.conf'].split('[alice](browser)');
  const of = (name) => `[alice](browser)${alice}`.replaceAll('alice', name);
  written['pjsip.conf'] = head + ['alice', 'bob', 'carol', 'dave'].map(of).join('\n');
  return written;
}

before(async () => {
  server = await startServer({ files: accounts });
  for (const [name, tone_hz] of Object.entries(HZ)) browsers[name] = await startChromium({ tone_hz });
  browsers.carol = browsers.bob;
  for (const user of ['alice', 'bob', 'carol']) {
    pages[user] = await openPage(browsers[user], server, { account: { user, password: PASSWORD } });
  }
});

after(async () => {
  for (const browser of new Set(Object.values(browsers))) await browser.close();
  await server?.stop();
});

afterEach(() => idle(server, 5_000));

const phase = (page) => page.evaluate(() => document.querySelector('[data-testid="phase"]').dataset.phase);
const inPhase = (page, name) =>
  until(`the phase ${name}`, async () => (await phase(page)) === name, 8_000).catch((error) => {
    throw new Error(`${error.message}\n${server.log}`);
  });
const click = (page, id) => page.evaluate((name) => document.querySelector(`[data-testid="${name}"]`).click(), id);

const dials = (page, number) =>
  page.evaluate((text) => {
    const field = document.querySelector('[data-testid="number"]');
    field.value = text;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    setTimeout(() => document.querySelector('[data-testid="call"]').click(), 0);
  }, number);

/** What the call that dialled said at its end: the last of its NoOp. */
async function said() {
  const { stories } = await server.status();
  const lines = stories.flatMap(({ events }) => events.map((entry) => JSON.stringify(entry)));
  const noop = lines.filter((line) => line.includes('NoOp(')).at(-1);
  return /NoOp\((.*?)\)/.exec(noop)[1].trim();
}

/** Pictures of the other decode: so many frames in two seconds. */
async function sees(page, who) {
  const frames = async () => (await page.evaluate(receivedVideo)).reduce((sum, one) => sum + one.frames, 0);
  await until(`the first frame at ${who}`, async () => (await frames()) > 0, 8_000);
  const before = await frames();
  await wait(LOOK_MS);
  assert.ok((await frames()) - before >= FRAMES_MIN, `${who} sees pictures that move\n${server.log}`);
}

/** The tone of the other stands out. */
async function hears(page, hz, who) {
  const tone = await page.evaluate(loudestTone, { ms: 1_000 });
  assert.ok(Math.abs(tone.hz - hz) < 10 && tone.over_db > 20, `${who}: ${JSON.stringify(tone)}`);
}

async function talk() {
  await inPhase(pages.alice, 'talking');
  await inPhase(pages.bob, 'talking');
  await Promise.all([sees(pages.alice, 'alice'), sees(pages.bob, 'bob')]);
  await hears(pages.alice, HZ.bob, 'alice');
  await hears(pages.bob, HZ.alice, 'bob');
}

test('Chromium calls Chromium: pictures and sound both ways, whoever hangs up', async () => {
  for (const last of ['bob', 'alice']) {
    await dials(pages.alice, '201');
    await inPhase(pages.bob, 'incoming');
    await click(pages.bob, 'answer');
    await talk();
    await hangUp(pages[last]);
    for (const user of ['alice', 'bob']) await inPhase(pages[user], 'idle');
    await idle(server, 5_000);
    assert.equal(await said(), 'ANSWER 16 bob');
  }
});

test('all ring; one declines, the other answers', async () => {
  await dials(pages.alice, '202');
  for (const user of ['bob', 'carol']) await inPhase(pages[user], 'incoming');
  await pages.carol.bringToFront();
  await pages.carol.keyboard.press('Escape');
  await inPhase(pages.carol, 'idle');
  await click(pages.bob, 'answer');
  await talk();
  await hangUp(pages.alice);
  await inPhase(pages.bob, 'idle');
});

test('all ring; the one that loses goes quiet and shows no failure', async () => {
  await dials(pages.alice, '202');
  for (const user of ['bob', 'carol']) await inPhase(pages[user], 'incoming');
  await click(pages.bob, 'answer');
  await inPhase(pages.carol, 'idle');
  assert.equal(await pages.carol.evaluate(() => window.__sidetone.state.failure), null);
  await talk();
  await hangUp(pages.bob);
  await inPhase(pages.alice, 'idle');
});

test('a caller that gives up, also in the moment of the answer, leaves nothing', async () => {
  // With the longer pauses its CANCEL often crosses our 200, which JsSIP 3.0.13 then neither acknowledges nor ends.
  for (const pause_ms of [300, 0, 5, 20, 60]) {
    await dials(pages.alice, '201');
    await inPhase(pages.bob, 'incoming');
    if (pause_ms < 300) await click(pages.bob, 'answer');
    await wait(pause_ms);
    await click(pages.alice, 'hangup');
    for (const user of ['alice', 'bob']) await inPhase(pages[user], 'idle');
    await idle(server, 5_000);
    if (pause_ms === 300) assert.equal(await said(), 'CANCEL 16');
  }
});

test('the dial plan goes on where nobody answers, is busy or is there', async () => {
  await dials(pages.alice, '203');
  await inPhase(pages.bob, 'incoming');
  await inPhase(pages.bob, 'idle');
  await inPhase(pages.alice, 'talking');
  await sees(pages.alice, 'alice');
  await hangUp(pages.alice);
  await idle(server, 5_000);
  assert.equal(await said(), 'NOANSWER 16', 'it was answered by an echo');

  await dials(pages.alice, '204');
  await idle(server, 5_000);
  await inPhase(pages.alice, 'idle');
  assert.equal(await said(), 'CHANUNAVAIL 20');
});

test('who is called while talking is busy, and the talk goes on', async () => {
  await dials(pages.alice, '201');
  await inPhase(pages.bob, 'incoming');
  await click(pages.bob, 'answer');
  await inPhase(pages.alice, 'talking');
  await dials(pages.carol, '203');
  await until('the refusal', async () => (await said()).startsWith('BUSY 17'), 5_000);
  await talk();
  await hangUp(pages.alice);
  await inPhase(pages.bob, 'idle');
});

test('one that holds and resumes is seen and heard again', async () => {
  const page = await barePage(browsers.alice, server);
  await scripts.jssip(page);
  await page.evaluate(callWithJsSip, { user: 'dave', password: PASSWORD, port: server.ports.http, number: '201' });
  await inPhase(pages.bob, 'incoming');
  await click(pages.bob, 'answer');
  await inPhase(pages.bob, 'talking');
  await sees(pages.bob, 'bob');
  for (const turn of [1, 2]) {
    // It still sends (sendonly), and takes nothing.
    const frames = () => page.evaluate(async () => (await window.videoFrames(window.pc()))[0]?.frames ?? 0);
    await until(`frames of bob, turn ${turn}`, async () => (await frames()) > 0, 5_000);
    await page.evaluate(() => window.holds());
    await wait(500);
    const held = await frames();
    await wait(1_000);
    assert.ok((await frames()) - held < 3, `held, turn ${turn}`);
    await page.evaluate(() => window.resumes());
    await until(`frames after the hold, turn ${turn}`, async () => (await frames()) - held >= FRAMES_MIN, 5_000);
    await sees(pages.bob, 'bob');
    await hears(pages.bob, HZ.alice, 'bob');
  }
  await page.evaluate(() => window.hangUp());
  await inPhase(pages.bob, 'idle');
  await page.evaluate(() => window.leave());
  await page.close();
});

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
        mediaConstraints: { audio: true, video: true },
        pcConfig: { iceServers: [] },
      });
      const turn = (how, event) =>
        new Promise((changed) => {
          session.once(event, changed);
          session[how]();
        });
      window.holds = () => turn('hold', 'hold').then(() => true);
      window.resumes = () => turn('unhold', 'unhold').then(() => true);
      window.pc = () => session.connection;
      window.hangUp = () => session.terminate();
      done(true);
    });
    ua.start();
  });
}
