// Phones of one office: a call that rings at one is picked up at another, and what a caller says is recorded and played.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { startBaresip } from '../lib/baresip.mjs';
import { PASSWORD } from '../lib/files.mjs';
import { ask, startServer, temporaryFolder, until, wait } from '../lib/server.mjs';
import { share } from '../lib/sound.mjs';

/** What each says, and in which codec. */
const PHONES = {
  anna: { tone_hz: 440, number: 100, codecs: 'PCMU/8000/1', allow: 'ulaw' },
  bert: { tone_hz: 700, number: 200, codecs: 'G722/16000/1', allow: 'g722', rate_hz: 16_000 },
  cleo: { tone_hz: 950, number: 300, codecs: 'PCMU/8000/1', allow: 'ulaw' },
};

const set = ([name, { allow, number }]) => `[${name}]
type=endpoint
context=sets
aors=${name}
auth=${name}
disallow=all
allow=${allow}
call_group=1
pickup_group=1
callerid=${name} <${number}>
[${name}]
type=auth
username=${name}
password=${PASSWORD}
[${name}]
type=aor
max_contacts=5
`;

const files = (sounds) => (ports) => ({
  'pjsip.conf': `[transport-udp]
type=transport
protocol=udp
bind=127.0.0.1:${ports.sip}
${Object.entries(PHONES).map(set).join('\n')}`,
  'http.conf': `[general]
enabled=yes
bindaddr=127.0.0.1
bindport=${ports.http}
`,
  'extensions.conf': `[sets]
exten => 100,1,Dial(PJSIP/anna,30)
exten => 400,1,Record(said.wav,0,0,q)
 same => n,Set(GLOBAL(said)=\${RECORD_STATUS})
 same => n,Playback(\${RECORDED_FILE})
exten => 401,1,Record(quiet.g722,1,20,q)
 same => n,Set(GLOBAL(quiet)=\${RECORD_STATUS})
`,
  'sidetone.conf': `[general]
sounds=${sounds}
`,
});

let server;
let phones;
let sounds;

before(async () => {
  sounds = await temporaryFolder('sounds');
  server = await startServer({ files: files(sounds) });
  const start = ([user, own]) => startBaresip({ server, user, password: PASSWORD, ...own });
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

const hears = (ear, tone_hz) =>
  until(`${ear} hears ${tone_hz} Hz`, async () => (await phones[ear].heard(tone_hz, 400)) > 0.7, 8_000).catch(failed);

const global = async (name) => new RegExp(`${name}=(.*)`).exec(await ask(server, 'dialplan show globals'))?.[1]?.trim();

test('a call that rings at one phone is picked up at another', async () => {
  const { anna, bert, cleo } = phones;
  bert.dial(100);
  await anna.rings().catch(failed);
  await cleo.call(`sip:*8@127.0.0.1:${server.ports.sip}`).catch(failed);
  await bert.talks().catch(failed);
  // It rings no more.
  await anna.ends().catch(failed);
  await hears('bert', PHONES.cleo.tone_hz);
  await hears('cleo', PHONES.bert.tone_hz);
  bert.hangUp();
  await cleo.ends().catch(failed);
});

test('what a caller says is recorded until it presses the key, and played to it', async () => {
  const { cleo } = phones;
  const began = performance.now();
  await cleo.call(`sip:400@127.0.0.1:${server.ports.sip}`).catch(failed);
  await wait(2_500);
  await cleo.press('#');
  // The machine may be slow: it can have said no more than there was time for.
  const most = (performance.now() - began) / 1_000 + 1;
  await until('the end of the recording', async () => global('said'), 5_000).catch(failed);
  assert.equal(await global('said'), 'DTMF');
  await hears('cleo', PHONES.cleo.tone_hz);
  const bytes = await readFile(join(sounds, 'said.wav'));
  const samples = Array.from({ length: (bytes.length - 44) / 2 }, (_, at) => bytes.readInt16LE(44 + 2 * at));
  const seconds = samples.length / 8_000;
  assert.ok(seconds > 1 && seconds < most, `${seconds} s of ${most} s`);
  assert.ok(share(samples, PHONES.cleo.tone_hz, 8_000) > 0.9);
});

test('a recording ends with silence, which is taken off', async () => {
  const { bert } = phones;
  const began = performance.now();
  await bert.call(`sip:401@127.0.0.1:${server.ports.sip}`).catch(failed);
  await wait(2_000);
  assert.equal(await global('quiet'), undefined, 'it goes on while something is heard');
  bert.command('mute');
  const most = (performance.now() - began) / 1_000 + 1;
  await until('the end of the recording', async () => global('quiet'), 5_000).catch(failed);
  bert.command('mute');
  assert.equal(await global('quiet'), 'SILENCE');
  // G.722 has 8,000 bytes a second.
  const { length } = await readFile(join(sounds, 'quiet.g722'));
  assert.ok(length > 8_000 && length < 8_000 * most, `${length} bytes in ${most} s`);
});
