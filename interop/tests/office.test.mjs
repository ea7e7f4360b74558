// Phones of one office: a call that rings at one is picked up at another, and what a caller says is recorded and played.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { Office, officeFiles, PHONES } from '../lib/office.mjs';
import { ask, temporaryFolder, until, wait } from '../lib/server.mjs';
import { share } from '../lib/sound.mjs';

const files = (sounds) =>
  officeFiles(PHONES, 'call_group=1\npickup_group=1', {
    'extensions.conf': `[sets]
exten => 100,1,Dial(PJSIP/anna,30)
exten => 400,1,Record(said.wav,0,0,q)
 same => n,Set(GLOBAL(said)=\${RECORD_STATUS})
 same => n,Playback(\${RECORDED_FILE})
exten => 401,1,Record(quiet.g722,2,20,q)
 same => n,Set(GLOBAL(quiet)=\${RECORD_STATUS})
`,
    'sidetone.conf': `[general]
sounds=${sounds}
`,
  });

const office = new Office();
const { failed, phones } = office;
let sounds;

before(async () => {
  sounds = await temporaryFolder('sounds');
  await office.start(files(sounds));
});

after(() => office.stop());

afterEach(() => office.rest());

const global = async (name) => new RegExp(`${name}=(.*)`).exec(await ask(office.server, 'dialplan show globals'))?.[1]?.trim();

test('a call that rings at one phone is picked up at another', async () => {
  const { anna, bert, cleo } = phones;
  bert.dial(100);
  await anna.rings().catch(failed);
  await cleo.call(office.uri('*8')).catch(failed);
  await bert.talks().catch(failed);
  // It rings no more.
  await anna.ends().catch(failed);
  await office.talk('bert', 'cleo');
  bert.hangUp();
  await cleo.ends().catch(failed);
});

test('what a caller says is recorded until it presses the key, and played to it', async () => {
  const { cleo } = phones;
  const began = performance.now();
  await cleo.call(office.uri('400')).catch(failed);
  await wait(2_500);
  await cleo.press('#');
  // The machine may be slow: it can have said no more than there was time for.
  const most = (performance.now() - began) / 1_000 + 1;
  await until('the end of the recording', async () => global('said'), 5_000).catch(failed);
  assert.equal(await global('said'), 'DTMF');
  await office.hears('cleo', PHONES.cleo.tone_hz);
  const bytes = await readFile(join(sounds, 'said.wav'));
  const samples = Array.from({ length: (bytes.length - 44) / 2 }, (_, at) => bytes.readInt16LE(44 + 2 * at));
  const seconds = samples.length / 8_000;
  assert.ok(seconds > 1 && seconds < most, `${seconds} s of ${most} s`);
  assert.ok(share(samples, PHONES.cleo.tone_hz, 8_000) > 0.9);
});

test('a recording ends with silence, which is taken off', async () => {
  const { bert } = phones;
  const began = performance.now();
  await bert.call(office.uri('401')).catch(failed);
  await wait(2_000);
  assert.equal(await global('quiet'), undefined, 'it goes on while something is heard');
  bert.command('mute');
  // One of the two seconds of silence stays; half a second is for the phone, which does not fall silent at once.
  const most = (performance.now() - began) / 1_000 + 1.5;
  await until('the end of the recording', async () => global('quiet'), 5_000).catch(failed);
  bert.command('mute');
  assert.equal(await global('quiet'), 'SILENCE');
  // G.722 has 8,000 bytes a second.
  const { length } = await readFile(join(sounds, 'quiet.g722'));
  assert.ok(length > 8_000 && length < 8_000 * most, `${length} bytes in ${most} s`);
});
