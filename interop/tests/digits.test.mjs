// Digits between real peers: Chromium (telephone events and INFO), baresip (telephone events, INFO, tones). Every one
// is counted on the other side, in the form that side has.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { barePage, scripts } from '../lib/bare.mjs';
import { startBaresip } from '../lib/baresip.mjs';
import { startChromium } from '../lib/chromium.mjs';
import { account, files, PASSWORD, transport } from '../lib/files.mjs';
import { keysIn, spoken } from '../lib/keys.mjs';
import { idle } from '../lib/phone.mjs';
import { ask, startServer, until, wait } from '../lib/server.mjs';

const PLAN = `[sets]
exten => events,1,Dial(PJSIP/events,20)
exten => info,1,Dial(PJSIP/info,20)
exten => tones,1,Dial(PJSIP/tones,20)
exten => read,1,Answer()
 same => n,Read(got,,4,,1,6)
 same => n,Set(GLOBAL(got)=\${got})
exten => send,1,Answer()
 same => n,Wait(1)
 same => n,SendDTMF(1123#,60,90)
 same => n,Playtones(1900)
 same => n,Wait(5)
`;

/** Phones with what they send and take digits as; the one with tones says `12` by itself after a while. */
const PHONES = { events: 'rfc4733', info: 'info', tones: 'inband' };
const LEAD_MS = 3_500;
const SAYS = spoken([['', LEAD_MS], ['1', 70], ['', 60], ['1', 70], ['', 60], ['2', 300], ['', 60], ['#', 90], ['', 50_000]]);

function written(ports) {
  const all = files(PLAN)(ports);
  const phones = Object.entries(PHONES).map(([name, mode]) => account(name, `allow=ulaw\ndtmf_mode=${mode}`));
  all['pjsip.conf'] += [transport('udp', ports), ...phones].join('\n');
  return all;
}

let server;
let browser;
let page;
const phones = {};

before(async () => {
  server = await startServer({ files: written });
  for (const user of Object.keys(PHONES)) {
    const says = user === 'tones' ? SAYS : spoken([['', 60_000]]);
    phones[user] = await startBaresip({ server, user, password: PASSWORD, says, account: ';answermode=auto' });
    await phones[user].registered();
  }
  browser = await startChromium({ tone_hz: 440 });
  page = await barePage(browser, server);
  await scripts.jssip(page);
  await page.evaluate(async ({ url, password }) => {
    const socket = new JsSIP.WebSocketInterface(url);
    window.ua = new JsSIP.UA({ sockets: [socket], uri: `sip:alice@${location.hostname}`, password });
    const registered = new Promise((done, failed) => {
      ua.on('registered', done);
      ua.on('registrationFailed', (event) => failed(new Error(event.cause)));
    });
    ua.start();
    await registered;
  }, { url: server.url.replace(/^http(s?):.*$/, (all, s) => `ws${s}://${new URL(all).host}/ws`), password: PASSWORD });
});

after(async () => {
  await browser?.close();
  for (const phone of Object.values(phones)) await phone.stop();
  await server?.stop();
});

afterEach(async () => {
  await page.evaluate(() => ua.terminateSessions());
  for (const phone of Object.values(phones)) phone.command('hangup');
  await idle(server, 8_000);
  for (const phone of Object.values(phones)) phone.digits = '';
});

/** Chromium calls, and its media is up. */
async function calls(exten) {
  await page.evaluate(async (user) => {
    const got = (window.told = []);
    const session = (window.session = ua.call(`sip:${user}@${location.hostname}`, { mediaConstraints: { audio: true } }));
    session.on('newDTMF', ({ originator, dtmf }) => originator === 'remote' && got.push(dtmf.tone));
    await new Promise((done, failed) => {
      session.on('confirmed', done);
      session.on('failed', ({ cause }) => failed(new Error(cause)));
    });
  }, exten);
  const is_up = () => page.evaluate(() => session.connection.connectionState === 'connected');
  await until('media', is_up, 5_000);
}

const dials = (keys, transportType) =>
  page.evaluate(([tones, type]) => session.sendDTMF(tones, { duration: 120, interToneGap: 80, transportType: type }), [keys, transportType]);

const counts = (phone, keys, what) =>
  until(what, () => phone.digits === keys, 6_000).catch((error) => {
    throw new Error(`${error.message}: ${phone.digits}\n${phone.log}\n${server.log}`);
  });

/** The digits a phone heard as tones. */
async function hears(phone, keys, length_ms) {
  const sound = async () => phone.sound();
  const heard = async () => keysIn(await sound());
  await until(`${keys} as tones`, async () => (await heard()).map(({ key }) => key).join('') === keys, 6_000).catch(async (error) => {
    throw new Error(`${error.message}: ${JSON.stringify(await heard())}\n${server.log}`);
  });
  // The last one may still sound.
  const enough = (await sound()).length + 0.4 * 8_000;
  await until('what comes after the tones', async () => (await sound()).length >= enough, 5_000);
  for (const { key, ms } of await heard()) {
    assert.ok(Math.abs(ms - length_ms) <= 50, `${key} lasted ${ms} instead of ${length_ms} ms`);
  }
}

const reads = async (keys) => {
  const got = async () => /got=(.*)/.exec(await ask(server, 'dialplan show globals'))?.[1]?.trim();
  await until(`${keys} in the dial plan`, async () => (await got()) === keys, 9_000).catch(async (error) => {
    throw new Error(`${error.message}: ${await got()}\n${server.log}`);
  });
};

for (const form of ['RFC2833', 'INFO']) {
  test(`Chromium dials by ${form}: events, INFO and tones come out`, async () => {
    for (const user of ['events', 'info']) {
      await calls(user);
      await dials('1155#', form);
      await counts(phones[user], '1155#', `five digits at ${user}`);
      await wait(500);
      assert.equal(phones[user].digits, '1155#', 'and no more');
      await page.evaluate(() => session.terminate());
      await idle(server, 8_000);
    }
    await calls('tones');
    await dials('1155#', form);
    await hears(phones.tones, '1155#', 120);
  });

  test(`the dial plan reads what Chromium dials by ${form}`, async () => {
    await calls('read');
    await dials(form === 'INFO' ? '1122' : '2211', form);
    await reads(form === 'INFO' ? '1122' : '2211');
  });
}

test('baresip dials events: INFO, events and tones come out', async () => {
  const dialler = phones.events;
  for (const user of ['info', 'tones', 'read']) {
    await dialler.call(`sip:${user}@127.0.0.1:${server.ports.sip}`);
    await wait(500);
    for (const key of '4477') {
      dialler.command('sndcode', key);
      await wait(250);
    }
    if (user === 'info') await counts(phones.info, '4477', 'four digits by INFO');
    else if (user === 'read') await reads('4477');
    else await until('tones', async () => keysIn(await phones.tones.sound()).map(({ key }) => key).join('') === '4477', 6_000);
    dialler.command('hangup');
    await idle(server, 8_000);
  }
});

test('tones in the sound of a phone become events and INFO, and a browser is sent events', async () => {
  for (const user of ['events', 'info', 'read']) {
    await phones.tones.call(`sip:${user}@127.0.0.1:${server.ports.sip}`);
    if (user === 'read') {
      await reads('112');
    } else {
      await counts(phones[user], '112#', `the tones at ${user}`);
      await wait(300);
      assert.deepEqual(keysIn(await phones[user].sound()), [], 'none of them is heard');
    }
    phones.tones.command('hangup');
    await idle(server, 8_000);
  }
});

test('SendDTMF reaches every kind of phone', async () => {
  for (const user of ['events', 'info']) {
    await phones[user].call(`sip:send@127.0.0.1:${server.ports.sip}`);
    await counts(phones[user], '1123#', `SendDTMF at ${user}`);
    phones[user].command('hangup');
    await idle(server, 8_000);
  }
  await phones.tones.call(`sip:send@127.0.0.1:${server.ports.sip}`);
  await hears(phones.tones, '1123#', 90);
});
