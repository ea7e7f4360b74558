// Features dialled in a call, with three phones: blind and attended transfer, parking, recording. Sound is found on each
// side in both directions after each; one of the phones has G.722, so that the sound is made anew.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { startBaresip } from '../lib/baresip.mjs';
import { PASSWORD } from '../lib/files.mjs';
import { startLinphone } from '../lib/linphone.mjs';
import { startServer, temporaryFolder, until, wait } from '../lib/server.mjs';
import { share } from '../lib/sound.mjs';

/** What each says, and in which codec. */
const PHONES = {
  anna: { tone_hz: 440, number: 100, codecs: 'PCMU/8000/1', allow: 'ulaw' },
  bert: { tone_hz: 700, number: 200, codecs: 'G722/16000/1', allow: 'g722', rate_hz: 16_000 },
  cleo: { tone_hz: 950, number: 300, codecs: 'PCMU/8000/1', allow: 'ulaw' },
};

/** The one that transfers by REFER: baresip 1.0 cannot lead two calls together. */
const LINDA = { tone_hz: 1200, number: 400, allow: 'ulaw' };

const set = ([name, { allow, number }]) => `[${name}]
type=endpoint
context=sets
aors=${name}
auth=${name}
disallow=all
allow=${allow}
callerid=${name} <${number}>
[${name}]
type=auth
username=${name}
password=${PASSWORD}
[${name}]
type=aor
max_contacts=5
`;

const files = (recordings) => (ports) => ({
  'pjsip.conf': `[transport-udp]
type=transport
protocol=udp
bind=127.0.0.1:${ports.sip}
${Object.entries({ ...PHONES, linda: LINDA }).map(set).join('\n')}`,
  'http.conf': `[general]
enabled=yes
bindaddr=127.0.0.1
bindport=${ports.http}
`,
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

let server;
let phones;
let recordings;

before(async () => {
  recordings = await temporaryFolder('recordings');
  server = await startServer({ files: files(recordings) });
  const start = ([user, own]) => startBaresip({ server, user, password: PASSWORD, account: ';answermode=auto', ...own });
  const started = await Promise.all(Object.entries(PHONES).map(start));
  phones = Object.fromEntries(Object.keys(PHONES).map((name, index) => [name, started[index]]));
  for (const phone of started) await phone.registered();
});

after(async () => {
  for (const phone of Object.values(phones ?? {})) await phone.stop();
  await server?.stop();
});

afterEach(async () => {
  for (const phone of Object.values(phones)) {
    phone.hangUp();
    phone.forget();
  }
  await until('an idle server', async () => (await server.status()).counts.channels === 0, 8_000);
});

const failed = (error) => {
  throw new Error(`${error.message}\n${server.log}`);
};

/** The two hear each other. */
async function talk(one, two) {
  for (const [ear, mouth] of [[one, two], [two, one]]) {
    const tone_hz = PHONES[mouth].tone_hz;
    await until(`${ear} hears ${mouth}`, async () => (await phones[ear].heard(tone_hz, 400)) > 0.7, 8_000).catch(failed);
  }
}

async function annaCallsBert() {
  await phones.anna.call(`sip:200@127.0.0.1:${server.ports.sip}`).catch(failed);
  await talk('anna', 'bert');
}

test('a blind transfer by digits', async () => {
  await annaCallsBert();
  await phones.anna.press('#1');
  await wait(500);
  await phones.anna.press('300');
  await phones.anna.ends().catch(failed);
  await talk('bert', 'cleo');
});

test('an attended transfer by digits', async () => {
  await annaCallsBert();
  await phones.anna.press('#2');
  await wait(500);
  await phones.anna.press('300');
  await talk('anna', 'cleo');
  phones.anna.hangUp();
  await talk('bert', 'cleo');
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
  await talk('anna', 'cleo');
  await phones.anna.press('*3');
  await talkAll(['anna', 'bert', 'cleo']);
  phones.anna.hangUp();
  await talk('bert', 'cleo');
});

test('a call is parked by digits and picked up by another phone', async () => {
  await annaCallsBert();
  await phones.anna.press('#3');
  await phones.anna.ends().catch(failed);
  phones.cleo.dial('701');
  await phones.cleo.talks().catch(failed);
  await talk('cleo', 'bert');
});

test('a recording by digits has both directions', async () => {
  await annaCallsBert();
  await phones.anna.press('#4');
  await wait(2_000);
  phones.anna.hangUp();
  const found = async () => (await readdir(recordings)).find((name) => name.endsWith('.wav'));
  await until('a recording', async () => Boolean(await found()), 5_000);
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
  const linda = await startLinphone({ user: 'linda', password: PASSWORD, port: server.ports.sip, tone_hz: LINDA.tone_hz });
  try {
    await until('linda is registered', () => server.log.includes('registered aor="linda"'), 10_000).catch(failed);
    const { anna, cleo } = phones;
    linda.dial(100);
    await linda.talks();
    await until('anna hears linda', async () => (await anna.heard(LINDA.tone_hz, 400)) > 0.7, 8_000).catch(failed);
    linda.hold();
    await wait(500);
    linda.dial(300);
    await linda.talks();
    await until('cleo hears linda', async () => (await cleo.heard(LINDA.tone_hz, 400)) > 0.7, 8_000).catch(failed);
    await linda.transferBoth();
    await talk('anna', 'cleo');
    assert.equal((await server.status()).counts.channels, 2, 'linda is in neither call');
  } finally {
    await linda.stop();
  }
});
