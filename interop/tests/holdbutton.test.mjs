// The page's Hold and Transfer, by keyboard and by mouse: who is held hears music, then the voice again; who is transferred
// talks to the third.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { startChromium } from '../lib/chromium.mjs';
import { files, PASSWORD } from '../lib/files.mjs';
import { idle, openPage } from '../lib/phone.mjs';
import { startServer, temporaryFolder, until } from '../lib/server.mjs';
import { sine } from '../lib/sound.mjs';

/** What each says, and the music. */
const HZ = { alice: 440, bob: 700, music: 1_000 };
const USERS = ['alice', 'bob', 'carol'];

let server;
const browsers = {};
const pages = {};

before(async () => {
  const folder = await temporaryFolder('music');
  await writeFile(join(folder, 'tone.wav'), sine(HZ.music, 2));
  const account = (user) => `[${user}](browser)\naors=${user}\nauth=${user}\nmoh_suggest=tone\n\n[${user}]\ntype=auth\nusername=${user}\npassword=${PASSWORD}\n\n[${user}]\ntype=aor\nmax_contacts=5\n`;
  server = await startServer({
    files: (ports) => {
      const written = files('[sets]\nexten => _[a-z].,1,Dial(PJSIP/${EXTEN},20)\n')(ports);
      const [shared] = written['pjsip.conf'].split('[alice]');
      return { ...written, 'pjsip.conf': shared + USERS.map(account).join('\n'), 'musiconhold.conf': `[tone]\nmode=files\ndirectory=${folder}\n` };
    },
  });
  // Each browser has one microphone; those who talk to each other are in different ones.
  [browsers.one, browsers.other] = await Promise.all([startChromium({ tone_hz: HZ.alice }), startChromium({ tone_hz: HZ.bob })]);
  for (const user of USERS) {
    const browser = user === 'bob' ? browsers.other : browsers.one;
    pages[user] = await openPage(browser, server, { account: { user, password: PASSWORD }, query: '?processing=off' });
  }
});

after(async () => {
  await browsers.one?.close();
  await browsers.other?.close();
  await server?.stop();
});

const state = (user) => pages[user].locator('[data-testid="phase"]').getAttribute('data-state');
const reaches = (user, name) =>
  until(`${name} of ${user}`, async () => (await state(user)) === name, 8_000).catch(async (error) => {
    throw new Error(`${error.message}, but ${await state(user)}\n${server.log}`);
  });

/** How much of what a page hears of its call is this tone, in the sound of the element that plays it. */
function partOfTone({ hz, ms }) {
  const { srcObject } = document.querySelector('[data-testid="voice"]') ?? {};
  if (!srcObject?.getAudioTracks().length) return 0;
  const audio = new AudioContext();
  const analyser = new AnalyserNode(audio, { fftSize: 16_384 });
  audio.createMediaStreamSource(srcObject).connect(analyser);
  return new Promise((done) => {
    setTimeout(() => {
      const samples = new Float32Array(analyser.fftSize);
      analyser.getFloatTimeDomainData(samples);
      const step = (2 * Math.PI * hz) / audio.sampleRate;
      let [one, two, energy] = [0, 0, 0];
      for (const sample of samples) {
        [one, two] = [sample + 2 * Math.cos(step) * one - two, one];
        energy += sample * sample;
      }
      void audio.close();
      const power = one * one + two * two - 2 * Math.cos(step) * one * two;
      done(energy / samples.length < 1e-8 ? 0 : (2 * power) / (energy * samples.length));
    }, ms);
  });
}

async function hears(user, who) {
  let part = 0;
  await until('', async () => (part = await pages[user].evaluate(partOfTone, { hz: HZ[who], ms: 600 })) > 0.8, 8_000).catch(() => {
    throw new Error(`${HZ[who]} Hz is ${part.toFixed(2)} of what ${user} hears\n${server.log}`);
  });
}

const talk = () => hears('alice', 'bob').then(() => hears('bob', 'alice'));

/** Whether the microphone and the camera of a page are sent. */
const sends = (user) => pages[user].evaluate(() => window.__sidetone.pc().getSenders().filter(({ track }) => track).map(({ track }) => track.enabled));

/** Goes from one control to the next, as the Tab key does, until this one has the focus. */
async function focus(page, id) {
  for (let presses = 0; presses < 40; presses += 1) {
    if ((await page.evaluate(() => document.activeElement?.dataset.testid)) === id) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab never came to ${id}`);
}

async function aliceCallsBob() {
  await pages.alice.getByTestId('number').fill('bob');
  await pages.alice.getByTestId('call').click();
  await reaches('bob', 'incoming');
  await pages.bob.keyboard.press('Enter');
  await Promise.all([reaches('alice', 'talking'), reaches('bob', 'talking')]);
  await talk();
}

test('Hold gives the other side music and takes it away again, by keyboard and by mouse', async () => {
  await aliceCallsBob();
  const button = pages.alice.getByRole('button', { name: 'Hold' });
  assert.equal(await button.getAttribute('aria-pressed'), 'false');
  await focus(pages.alice, 'hold');
  await pages.alice.keyboard.press('Space');
  await reaches('alice', 'held');
  assert.equal(await button.getAttribute('aria-pressed'), 'true');
  await hears('bob', 'music');
  assert.deepEqual(await sends('alice'), [false, false]);
  assert.match(await pages.alice.locator('.strip .unseen[aria-live]').textContent(), /on hold and hears music/);
  await pages.alice.keyboard.press('Enter');
  await reaches('alice', 'talking');
  assert.deepEqual(await sends('alice'), [true, true]);
  await talk();

  // The microphone that was off stays off.
  await pages.alice.getByTestId('microphone').click();
  await button.click();
  await hears('bob', 'music');
  await button.click();
  await reaches('alice', 'talking');
  await hears('alice', 'bob');
  assert.deepEqual(await sends('alice'), [false, true]);
  await pages.alice.getByTestId('microphone').click();
  await talk();
});

test('Transfer to nobody leaves the call, and to somebody connects the two', async () => {
  const { alice, carol } = pages;
  const transfer = async (number) => {
    await focus(alice, 'transfer');
    await alice.keyboard.press('Enter');
    await until('the field has the focus', () => alice.evaluate(() => document.activeElement?.dataset.testid === 'transfer-number'), 2_000);
    await alice.keyboard.type(number);
    await alice.keyboard.press('Enter');
  };
  await transfer('999');
  await until('the refusal', () => alice.evaluate(() => window.__sidetone.state.failure === 'transferFailed'), 5_000);
  await reaches('alice', 'talking');
  await talk();
  await transfer('carol');
  await reaches('carol', 'incoming');
  await reaches('alice', 'sent');
  await carol.keyboard.press('Enter');
  await reaches('carol', 'talking');
  // Carol's microphone is in the browser of alice.
  await hears('bob', 'alice');
  await hears('carol', 'bob');
  await pages.bob.getByTestId('hangup').click();
  await reaches('carol', 'idle');
  await idle(server, 5_000);
  for (const user of USERS) assert.deepEqual(pages[user].problems, []);
});
