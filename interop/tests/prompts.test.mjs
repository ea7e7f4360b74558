// What a browser hears of files and tones, and whether each key it presses is counted once.
import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { startChromium } from '../lib/chromium.mjs';
import { files, PASSWORD } from '../lib/files.mjs';
import { loudestTone } from '../lib/page.mjs';
import { call, idle, openPage } from '../lib/phone.mjs';
import { ask, startServer, temporaryFolder, until } from '../lib/server.mjs';
import { sine } from '../lib/sound.mjs';

const PLAN = `[sets]
exten => 300,1,Answer()
 same => n,Playtones(600)
 same => n,Wait(5)
 same => n,StopPlaytones()
 same => n,Read(digits,prompt,20,,1,3)
 same => n,Set(GLOBAL(dialled)=\${READSTATUS} \${digits})
 same => n,Background(prompt)
 same => n,WaitExten(5)
exten => 7,1,Set(GLOBAL(way)=seven)
 same => n,Hangup()
exten => 301,1,Playback(nowhere)
 same => n,Set(GLOBAL(played)=\${PLAYBACKSTATUS})
`;
const TONE_HZ = 600;
const PROMPT_HZ = 900;
const KEYS = '1223*09AD1';

let server;
let browser;
let page;
let sounds;

before(async () => {
  sounds = await temporaryFolder('sounds');
  await mkdir(join(sounds, 'en'));
  await writeFile(join(sounds, 'en', 'prompt.wav'), sine(PROMPT_HZ, 20));
  server = await startServer({
    files: (ports) => ({ ...files(PLAN)(ports), 'sidetone.conf': `[general]\nsounds=${sounds}\n` }),
  });
  browser = await startChromium({ tone_hz: 440 });
  page = await openPage(browser, server, { query: '?processing=off', account: { user: 'alice', password: PASSWORD } });
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await rm(sounds, { recursive: true, force: true });
});

const global = async (name) => new RegExp(`${name}=(.*)`).exec(await ask(server, 'dialplan show globals'))?.[1]?.trim();

const hears = async (hz) => {
  const tone = await page.evaluate(loudestTone, { ms: 1_500 });
  assert.ok(Math.abs(tone.hz - hz) <= 5, `heard ${tone.hz.toFixed(1)} Hz\n${server.log}`);
  assert.ok(tone.over_db > 30, `it stands out by ${tone.over_db.toFixed(0)} dB only`);
};

const press = (keys) =>
  page.evaluate((text) => {
    const sender = window.__sidetone.pc().getSenders().find((one) => one.track?.kind === 'audio');
    sender.dtmf.insertDTMF(text, 100, 70);
  }, keys);

const runs = (application) =>
  until(application, async () => (await ask(server, 'core show channels verbose')).includes(application), 10_000);

test('tones and a file are heard, and every key is counted once', async () => {
  await call(page, { number: '300', count: 0, limit_ms: 300 });
  await until('media', () => page.evaluate(() => window.__sidetone.pc()?.connectionState === 'connected'), 5_000);
  await hears(TONE_HZ);
  await runs('Read');
  await hears(PROMPT_HZ);
  await press(`${KEYS}#`);
  await until('the digits', async () => global('dialled'), 10_000);
  assert.equal(await global('dialled'), `OK ${KEYS}`);
  await hears(PROMPT_HZ);
  await press('7');
  await idle(server, 5_000);
  assert.equal(await global('way'), 'seven');
});

test('a file that is missing is named with its folder', async () => {
  await call(page, { number: '301', count: 0, limit_ms: 300 });
  await until('the end', async () => global('played'), 5_000);
  assert.equal(await global('played'), 'FAILED');
  assert.ok(server.log.includes(`no sound \`nowhere\` in ${sounds}/en or ${sounds}`), server.log);
  await idle(server, 5_000);
});
