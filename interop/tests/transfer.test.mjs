// Features dialled in a call, with three phones: blind and attended transfer, parking, recording. Sound is found on each
// side in both directions after each; one of the phones has G.722, so that the sound is made anew.
import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { PASSWORD } from '../lib/files.mjs';
import { startLinphone } from '../lib/linphone.mjs';
import { Office, officeFiles, PHONES } from '../lib/office.mjs';
import { temporaryFolder, until, wait } from '../lib/server.mjs';
import { share } from '../lib/sound.mjs';

/** The one that transfers by REFER: baresip 1.0 cannot lead two calls together. */
const LINDA = { tone_hz: 1200, number: 400, allow: 'ulaw' };

const files = (recordings) =>
  officeFiles({ ...PHONES, linda: LINDA }, '', {
    'extensions.conf': `[sets]
include => parkedcalls
${Object.entries(PHONES).map(([name, { number }]) => `exten => ${number},1,Dial(PJSIP/${name},20,tTkKxX)`).join('\n')}
`,
    'features.conf': `[general]
featuredigittimeout=3000
[featuremap]
blindxfer=#1
atxfer=#2
parkcall=#3
automixmon=#4
`,
    'res_parking.conf': `[default]
parkpos=701-702
`,
    'sidetone.conf': `[general]
recordings=${recordings}
`,
  });

const office = new Office();
const { failed, phones } = office;
let recordings;

before(async () => {
  recordings = await temporaryFolder('recordings');
  await office.start(files(recordings), { account: ';answermode=auto' });
});

after(() => office.stop());

afterEach(() => office.rest());

async function annaCallsBert() {
  await phones.anna.call(office.uri('200')).catch(failed);
  await office.talk('anna', 'bert');
}

test('a blind transfer by digits', async () => {
  await annaCallsBert();
  await phones.anna.press('#1');
  await wait(500);
  await phones.anna.press('300');
  await phones.anna.ends().catch(failed);
  await office.talk('bert', 'cleo');
});

test('an attended transfer by digits', async () => {
  await annaCallsBert();
  await phones.anna.press('#2');
  await wait(500);
  await phones.anna.press('300');
  await office.talk('anna', 'cleo');
  phones.anna.hangUp();
  await office.talk('bert', 'cleo');
});

/** How much of what one hears each tone is. */
const heard = (ear) =>
  Promise.all(Object.values(PHONES).map(({ tone_hz }) => phones[ear].heard(tone_hz, 400)));

/** Of several phones each hears exactly the others. */
async function talkAll(names) {
  const order = Object.keys(PHONES);
  for (const ear of names) {
    await until(`${ear} hears the others and not itself`, async () => {
      const shares = await heard(ear);
      return shares.every((share, index) => (names.includes(order[index]) && order[index] !== ear) === share > 0.2);
    }, 10_000).catch(async (error) => failed(new Error(`${error.message}: ${await heard(ear)}`)));
  }
}

test('a transfer becomes a call of three, and of two again', async () => {
  await annaCallsBert();
  await phones.anna.press('#2');
  await wait(500);
  await phones.anna.press('300');
  await office.talk('anna', 'cleo');
  await phones.anna.press('*3');
  await talkAll(['anna', 'bert', 'cleo']);
  phones.anna.hangUp();
  await office.talk('bert', 'cleo');
});

test('a call is parked by digits and picked up by another phone', async () => {
  await annaCallsBert();
  await phones.anna.press('#3');
  await phones.anna.ends().catch(failed);
  phones.cleo.dial('701');
  await phones.cleo.talks().catch(failed);
  await office.talk('cleo', 'bert');
});

test('a recording by digits has both directions', async () => {
  await annaCallsBert();
  await phones.anna.press('#4');
  const found = async () => (await readdir(recordings)).find((name) => name.endsWith('.wav'));
  await until('a recording', async () => Boolean(await found()), 5_000).catch(failed);
  const size = async () => (await stat(join(recordings, await found()))).size;
  await until('two seconds of it', async () => (await size()) >= 44 + 32_000, 8_000).catch(failed);
  phones.anna.hangUp();
  const read = async () => readFile(join(recordings, await found()));
  await until('its end', async () => (await read()).readUInt32LE(40) >= 8_000 + 16_000, 5_000).catch(failed);
  const bytes = await read();
  const samples = [];
  for (let at = 44 + 8_000; at + 1 < 44 + 8_000 + 16_000; at += 2) samples.push(bytes.readInt16LE(at));
  for (const name of ['anna', 'bert']) {
    const part = share(samples, PHONES[name].tone_hz, 8_000);
    assert.ok(part > 0.3, `${part} of the recording is what ${name} said`);
  }
});

test('linphonec leads two calls of baresips together by REFER', async () => {
  const linda = await startLinphone({ user: 'linda', password: PASSWORD, port: office.server.ports.sip, tone_hz: LINDA.tone_hz });
  try {
    await until('linda is registered', () => office.server.log.includes('registered aor="linda"'), 10_000).catch(failed);
    linda.dial(100);
    await linda.talks();
    await office.hears('anna', LINDA.tone_hz);
    linda.hold();
    await wait(500);
    linda.dial(300);
    await linda.talks();
    await office.hears('cleo', LINDA.tone_hz);
    await linda.transferBoth();
    await office.talk('anna', 'cleo');
    assert.equal((await office.server.status()).counts.channels, 2, 'linda is in neither call');
  } finally {
    await linda.stop();
  }
});
