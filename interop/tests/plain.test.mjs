// baresip as a desk phone without WebRTC: plain RTP, SDES, DTLS and ICE, sound there and back, hold and resume.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { startBaresip } from '../lib/baresip.mjs';
import { account, http, PASSWORD, transport } from '../lib/files.mjs';
import { ask, startServer, until, wait } from '../lib/server.mjs';

const files = (ports) => ({
  'pjsip.conf': `${transport('udp', ports)}
${transport('tcp', ports)}
${account('plain', 'allow=ulaw')}
${account('secure', 'allow=ulaw\nmedia_encryption=sdes')}
${account('wide', 'allow=g722\nrtp_symmetric=yes\nrtcp_mux=yes')}
${account('iced', 'allow=ulaw\nice_support=yes')}
${account('asked', 'allow=ulaw\nmedia_encryption=dtls')}
${account('asking', 'allow=ulaw\nmedia_encryption=dtls\ndtls_setup=active\nrtcp_mux=yes')}
`,
  'http.conf': http(ports),
  'extensions.conf': `[sets]
exten => 600,1,Answer()
 same => n,Echo()
exten => 700,1,Dial(PJSIP/secure,20)
`,
  'rtp.conf': `[general]
rtpstart=21000
rtpend=21099
`,
});

const TONE_HZ = 440;
let server;
let phone;

before(async () => {
  server = await startServer({ files });
});

after(() => server?.stop());

afterEach(async () => {
  await phone?.stop();
  phone = undefined;
  await until('no ports in use', async () => (await server.status()).counts.port_pairs === 0, 5_000);
});

const hears = (what = 'its own tone') =>
  until(what, async () => (await phone.heard(TONE_HZ)) > 0.8, 6_000).catch((error) => {
    throw new Error(`${error.message}\n${phone.log}\n${server.log}`);
  });

test('phones are called with what fits each, and hear each other over plain RTP and SDES', async () => {
  const start = (user, tone_hz, account) => startBaresip({ server, user, password: PASSWORD, tone_hz, account: `${account};answermode=auto` });
  const phones = [await start('plain', 440, ''), await start('secure', 700, ';mediaenc=srtp-mand')];
  try {
    for (const own of phones) await own.registered();
    for (const [own, user, tone_hz] of [[phones[0], 'plain', 440], [phones[1], 'secure', 700]]) {
      await ask(server, `channel originate PJSIP/${user} application Echo`);
      await until(`${user} hears itself`, async () => (await own.heard(tone_hz)) > 0.8, 8_000);
      own.command('hangup');
      await wait(500);
    }
    phones[0].command('dial', `sip:700@127.0.0.1:${server.ports.sip}`);
    await until('the plain one hears the other', async () => (await phones[0].heard(700)) > 0.8, 8_000);
    await until('and is heard', async () => (await phones[1].heard(440)) > 0.8, 8_000);
  } finally {
    for (const own of phones) await own.stop();
  }
});

test('a phone with DTLS that is called hears itself', async () => {
  phone = await startBaresip({ server, user: 'asked', password: PASSWORD, tone_hz: TONE_HZ, account: ';mediaenc=dtls_srtp;answermode=auto' });
  await phone.registered();
  await ask(server, 'channel originate PJSIP/asked application Echo');
  await hears();
  phone.command('hangup');
  await phone.happened('CALL_CLOSED');
});

for (const [user, transport, options] of [
  ['plain', 'udp', {}],
  ['plain', 'tcp', {}],
  ['secure', 'udp', { account: ';mediaenc=srtp-mand' }],
  ['wide', 'udp', { codecs: 'G722/16000/1', rate_hz: 16_000 }],
  ['iced', 'udp', { account: ';medianat=ice' }],
  // Its certificate is of RSA; it begins the handshake, and then the exchange does.
  ['asked', 'udp', { account: ';mediaenc=dtls_srtp' }],
  ['asking', 'udp', { account: ';mediaenc=dtls_srtp;rtcp_mux=yes' }],
]) {
  test(`${user} over ${transport} calls the echo and hears itself, also after hold`, async () => {
    phone = await startBaresip({ server, user, password: PASSWORD, tone_hz: TONE_HZ, transport, ...options });
    await phone.registered();
    const told = (await server.status()).stories.length;
    await phone.call(`sip:600@127.0.0.1:${server.ports.sip}`);
    await hears();
    assert.equal((await server.status()).counts.port_pairs, 1);
    for (const [command, on_hold] of [['hold', true], ['resume', false]]) {
      const before = server.log.length;
      phone.command(command);
      await until(`${command} is understood`, () => server.log.slice(before).includes(`on_hold=${on_hold}`), 5_000).catch((error) => {
        throw new Error(`${error.message}\n${server.log}`);
      });
      await wait(700);
    }
    // What it hears is written down no longer; the packets go both ways again.
    const before = server.log.length;
    await ask(server, 'rtp set debug on');
    for (const way of ['Got  RTP packet from', 'Sent RTP packet to']) {
      await until(`15 of '${way}' after the hold`, () => server.log.slice(before).split(way).length - 1 >= 15, 1_500);
    }
    await ask(server, 'rtp set debug off');
    phone.command('hangup');
    await phone.happened('CALL_CLOSED');
    const stories = async () => (await server.status()).stories;
    await until('its story', async () => (await stories()).length > told, 5_000);
    const story = JSON.stringify((await stories()).at(-1));
    assert.match(story, /packets_in/);
    assert.equal(/ice_?pair/i.test(story), user === 'iced');
    assert.equal(/DTLS 1\.2/.test(story), user.startsWith('ask'));
  });
}
