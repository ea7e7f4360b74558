// Parties without a codec in common hear each other: the exchange makes the sound anew, between browsers and
// between a browser and a desk phone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBaresip } from '../lib/baresip.mjs';
import { startChromium } from '../lib/chromium.mjs';
import { files, PASSWORD } from '../lib/files.mjs';
import { loudestTone } from '../lib/page.mjs';
import { hangUp, idle, openPage } from '../lib/phone.mjs';
import { ask, startServer, until } from '../lib/server.mjs';

const PLAN = `[sets]
exten => _X.,1,Dial(PJSIP/\${EXTEN},20)
exten => _8X.,1,Answer()
 same => n,Playtones(dial)
 same => n,Wait(1)
 same => n,StopPlaytones()
 same => n,Dial(PJSIP/\${EXTEN:1},20)
`;
/** Who has which codec alone, and sends which tone. The last ones have both codecs, two of them a will of their own. */
const PARTIES = {
  100: { codec: 'opus', hz: 440 },
  200: { codec: 'ulaw', hz: 700 },
  300: { codec: 'g722', hz: 560 },
  400: { codec: 'opus,ulaw\ncodec_prefs_outgoing_answer=prefer: configured, operation: only_preferred, keep: first', hz: 440 },
  900: { codec: 'opus,ulaw', hz: 440 },
  500: { codec: 'ulaw,opus\ncodec_prefs_outgoing_offer=prefer: configured, operation: only_preferred, keep: first', hz: 700 },
};

let server;
const browsers = {};
const pages = {};

/** Desk phones: baresip with one codec, and a tone of its own. */
const DESKS = {
  600: { codec: 'ulaw', hz: 700, phone: {} },
  700: { codec: 'g722', hz: 560, phone: { codecs: 'G722/16000/1', rate_hz: 16_000 } },
};

/** Desk phones with one codec each, whose accounts allow more. */
const NARROW = {
  610: { codec: 'alaw,ulaw,g722', hz: 700, codecs: 'PCMU/8000/1' },
  620: { codec: 'alaw,ulaw,g722', hz: 560, codecs: 'PCMA/8000/1' },
};

/** The one account of the other tests, once for each party, with its codec. */
function accounts(ports) {
  const written = files(PLAN)(ports);
  const [head, alice] = written['pjsip.conf'].split('[alice](browser)');
  const of = ([name, { codec }]) =>
    `[alice](browser)\ndisallow=all\nallow=${codec}${alice}`.replaceAll('alice', name);
  const desk = ([name, { codec }]) => of([name, { codec }]).replace(`[${name}](browser)`, `[${name}]\ntype=endpoint\ncontext=sets`);
  written['pjsip.conf'] = `[transport-udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:${ports.sip}\n${head}`;
  written['pjsip.conf'] += [...Object.entries(PARTIES).map(of), ...Object.entries({ ...DESKS, ...NARROW }).map(desk)].join('\n');
  return written;
}

before(async () => {
  server = await startServer({ files: accounts });
  for (const [user, { hz }] of Object.entries(PARTIES)) {
    browsers[hz] ??= await startChromium({ tone_hz: hz });
    pages[user] = await openPage(browsers[hz], server, { account: { user, password: PASSWORD } });
  }
});

after(async () => {
  for (const browser of Object.values(browsers)) await browser.close();
  await server?.stop();
});

const phase = (page) => page.evaluate(() => document.querySelector('[data-testid="phase"]').dataset.phase);
const inPhase = (page, name) =>
  until(`the phase ${name}`, async () => (await phase(page)) === name, 8_000).catch((error) => {
    throw new Error(`${error.message}\n${server.log}`);
  });

const dials = (page, number) =>
  page.evaluate((text) => {
    const field = document.querySelector('[data-testid="number"]');
    field.value = text;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    setTimeout(() => document.querySelector('[data-testid="call"]').click(), 0);
  }, number);

async function hears(user, other) {
  const { hz } = PARTIES[other];
  const tone = await pages[user].evaluate(loudestTone, { ms: 1_000 });
  assert.ok(Math.abs(tone.hz - hz) < 10 && tone.over_db > 20, `${user} hears ${JSON.stringify(tone)}\n${server.log}`);
}

async function talks(caller, callee) {
  await dials(pages[caller], callee);
  await inPhase(pages[callee], 'incoming');
  await pages[callee].evaluate(() => document.querySelector('[data-testid="answer"]').click());
  for (const user of [caller, callee]) await inPhase(pages[user], 'talking');
  await hears(caller, callee);
  await hears(callee, caller);
  await hangUp(pages[caller]);
  await inPhase(pages[callee], 'idle');
  await idle(server, 5_000);
}

for (const [caller, callee] of [['100', '200'], ['200', '100'], ['100', '300'], ['300', '200']]) {
  const [from, to] = [PARTIES[caller].codec, PARTIES[callee].codec];
  test(`${from} calls ${to}: both hear the tone of the other`, () => talks(caller, callee));
}

for (const [user, { codec, hz, phone }] of Object.entries(DESKS)) {
  test(`a browser with Opus and a desk phone with ${codec} hear each other, whoever calls`, async () => {
    const desk = await startBaresip({ server, user, password: PASSWORD, tone_hz: hz, account: ';answermode=auto', ...phone });
    const both = async (what) => {
      await inPhase(pages[100], 'talking');
      const tone = await pages[100].evaluate(loudestTone, { ms: 1_000 });
      assert.ok(Math.abs(tone.hz - hz) < 10 && tone.over_db > 20, `${what}: ${JSON.stringify(tone)}\n${server.log}`);
      await until(`${what}: the phone hears the browser`, async () => (await desk.heard(PARTIES[100].hz)) > 0.8, 6_000);
    };
    try {
      await desk.registered();
      await dials(pages[100], user);
      await both('the browser calls');
      await hangUp(pages[100]);
      await idle(server, 5_000);
      desk.command('dial', `sip:100@127.0.0.1:${server.ports.sip}`);
      await inPhase(pages[100], 'incoming');
      await pages[100].evaluate(() => document.querySelector('[data-testid="answer"]').click());
      await both('the phone calls');
      desk.command('hangup');
      await idle(server, 5_000);
    } finally {
      await desk.stop();
    }
  });
}

test('desk phones with another codec each hear each other where both accounts allow both', async () => {
  const phones = {};
  try {
    for (const [user, { hz, codecs }] of Object.entries(NARROW)) {
      const account = ';answermode=auto';
      phones[user] = await startBaresip({ server, user, password: PASSWORD, tone_hz: hz, account, codecs });
      await phones[user].registered();
    }
    for (const [caller, callee] of [['610', '620'], ['620', '610']]) {
      phones[caller].command('dial', `sip:${callee}@127.0.0.1:${server.ports.sip}`);
      for (const [user, other] of [[caller, callee], [callee, caller]]) {
        const heard = async () => (await phones[user].heard(NARROW[other].hz)) > 0.8;
        await until(`${user} hears ${other}`, heard, 6_000).catch((error) => {
          throw new Error(`${error.message}\n${server.log}`);
        });
      }
      phones[caller].command('hangup');
      await idle(server, 5_000);
    }
  } finally {
    for (const phone of Object.values(phones)) await phone.stop();
  }
});

const transcoded = async () => JSON.stringify((await server.status()).stories).match(/audio is transcoded: [^"]*/g) ?? [];

test('codecs are chosen by codec_prefs, and what both have is not transcoded', async () => {
  const before = (await transcoded()).length;
  // 500 is offered its first codec alone, and 400 is answered with its own whatever 500 has.
  await talks('400', '500');
  const said = (await transcoded()).at(-1);
  assert.match(said, /PJSIP\/400-\w+ has opus, PJSIP\/500-\w+ has ulaw/);
  assert.equal((await transcoded()).length, before + 1);
  // 200 answers with what 500 was offered; 400 takes what 100 has.
  await talks('200', '500');
  await talks('400', '100');
  assert.equal((await transcoded()).length, before + 1);
});

/** The numbers and codecs of a channel, as the console shows them. */
const shown = async (user) => {
  const channels = await ask(server, 'core show channels concise');
  const [name] = channels.match(new RegExp(`PJSIP/${user}-\\w+`));
  return ask(server, `core show channel ${name}`);
};

test('a browser that heard a prompt in Opus is offered the codec of the phone it is connected to', async () => {
  const { hz } = DESKS[600];
  const desk = await startBaresip({ server, user: '600', password: PASSWORD, tone_hz: hz, account: ';answermode=auto' });
  try {
    await desk.registered();
    await dials(pages[900], '8600');
    await inPhase(pages[900], 'talking');
    const native = (text, codec) => text.includes(`NativeFormats: (${codec})`);
    await until('the browser takes PCMU', async () => native(await shown(900), 'ulaw'), 8_000);
    // What was sent before the browser knew has come by then.
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const user of [900, 600]) {
      const text = await shown(user);
      assert.match(text, /ReadTranscode: No/, text);
      assert.match(text, /WriteTranscode: No/, text);
    }
    const tone = await pages[900].evaluate(loudestTone, { ms: 1_000 });
    assert.ok(Math.abs(tone.hz - hz) < 10 && tone.over_db > 20, `${JSON.stringify(tone)}\n${server.log}`);
    await until('the phone hears the browser', async () => (await desk.heard(PARTIES[900].hz)) > 0.8, 6_000);
    const stats = await ask(server, 'pjsip show channelstats');
    assert.match(stats, / 900-\w+ +00:00:\d\d ulaw +\d+/, stats);
    assert.match(stats, /Objects found: 2/);
    await hangUp(pages[900]);
    await idle(server, 5_000);
  } finally {
    await desk.stop();
  }
});
