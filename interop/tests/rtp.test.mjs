// The options of desk phones' media, each by what it changes on the wire.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { DeskPhone } from '../lib/desk.mjs';
import { startServer, temporaryFolder, until, wait } from '../lib/server.mjs';
import { directions } from '../lib/srtp.mjs';

const endpoint = (name, options = []) => [`[${name}]`, 'type=endpoint', 'context=sets', 'disallow=all', 'allow=ulaw', ...options, ''].join('\n');

const files = (more) => (ports) => ({
  'pjsip.conf': [
    `[transport-udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:${ports.sip}\n`,
    endpoint('plain'),
    endpoint('silent', ['rtp_timeout=1']),
    endpoint('holding', ['rtp_timeout=1', 'rtp_timeout_hold=3']),
    endpoint('nat', ['rtp_symmetric=yes', 'rtp_keepalive=1']),
    endpoint('feedback', ['use_avpf=yes']),
    endpoint('secure', ['media_encryption=sdes']),
    endpoint('short', ['media_encryption=sdes', 'srtp_tag_32=yes']),
    endpoint('maybe', ['media_encryption=sdes', 'media_encryption_optimistic=yes']),
    endpoint('muxed', ['rtcp_mux=yes']),
    endpoint('browser', ['webrtc=yes']),
    endpoint('dtls', ['media_encryption=dtls', 'rtcp_mux=yes']),
    endpoint('ice', ['ice_support=yes']),
    endpoint('ranked', ['allow=alaw,g722']),
    endpoint('theirs', ['allow=alaw,g722', 'codec_prefs_incoming_offer=prefer: pending, operation: intersect']),
    endpoint('remote', ['allow=alaw,g722', 'incoming_call_offer_pref=remote_first']),
    endpoint('alone', ['allow=alaw,g722', 'preferred_codec_only=yes']),
  ].join('\n'),
  'http.conf': `[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport=${ports.http}\n`,
  'extensions.conf': '[sets]\nexten => 600,1,Answer()\n same => n,Echo()\n',
  'rtp.conf': `[general]\n${more}\n`,
});

const KEY = 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz';
let server;
let phones = [];

before(async () => {
  server = await startServer({ files: files('rtpstart=22000\nrtpend=22099') });
});

after(() => server?.stop());

async function phone(user, at = server) {
  const own = await DeskPhone.start(at, user);
  phones.push(own);
  return own;
}

afterEach(async () => {
  for (const own of phones) own.hangUp();
  await until('ports are given back', async () => (await server.status()).counts.port_pairs === 0, 5_000);
  for (const own of phones) own.close();
  phones = [];
});

async function socket() {
  const own = createSocket('udp4');
  await new Promise((done) => own.bind(0, '127.0.0.1', done));
  own.packets = [];
  own.on('message', (bytes) => own.packets.push(bytes));
  return own;
}

test('a phone hears its own packets, from an even port of the range', async () => {
  const own = await phone('plain');
  assert.equal(await own.invite(), 200);
  assert.ok(own.port >= 22_000 && own.port < 22_099 && own.port % 2 === 0, `${own.port}`);
  for (let count = 0; count < 10; count += 1) own.speak();
  await until('ten packets', () => own.packets.length === 10, 3_000);
  assert.ok(own.packets.every(({ bytes, from }) => from.port === own.port && bytes.length === 172));
});

test('rtp_timeout ends a call nobody speaks in, and not one that is spoken in', async () => {
  const [silent, plain] = [await phone('silent'), await phone('plain')];
  assert.equal(await silent.invite(), 200);
  assert.equal(await plain.invite(), 200);
  const speaking = setInterval(() => silent.speak(), 50);
  await wait(1_500);
  clearInterval(speaking);
  assert.ok(!silent.received.some((text) => text.startsWith('BYE')));
  await silent.wasHungUp(4_000);
  assert.ok(!plain.received.some((text) => text.startsWith('BYE')));
});

test('rtp_timeout_hold counts while the phone holds', async () => {
  const own = await phone('holding');
  assert.equal(await own.invite({ lines: ['a=sendonly'] }), 200);
  assert.match(own.sdp, /^a=recvonly\r$/m);
  await wait(1_800);
  assert.ok(!own.received.some((text) => text.startsWith('BYE')));
  await own.wasHungUp(5_000);
});

test('rtp_symmetric sends to where packets come from, rtp_keepalive without being asked', async () => {
  const [own, elsewhere] = [await phone('nat'), await socket()];
  assert.equal(await own.invite(), 200);
  for (let count = 0; count < 10; count += 1) own.speak(elsewhere);
  await until('an echo there', () => elsewhere.packets.length > 0, 3_000);
  assert.equal(own.packets.length, 0);
  await until('comfort noise', () => elsewhere.packets.some((bytes) => (bytes[1] & 0x7f) === 13), 4_000);
  elsewhere.close();
});

test('a stranger is not heard, unless strictrtp=no says so', async () => {
  const loose = await startServer({ files: files('rtpstart=22100\nrtpend=22199\nstrictrtp=no') });
  try {
    for (const [at, heard] of [[server, 1], [loose, 6]]) {
      const [own, stranger] = [await phone('plain', at), await socket()];
      assert.equal(await own.invite(), 200);
      own.speak();
      await until('its echo', () => own.packets.length === 1, 3_000);
      for (let count = 0; count < 5; count += 1) own.speak(stranger);
      await until('the echo of who is heard', () => own.packets.length >= heard, 3_000);
      await wait(300);
      assert.equal(own.packets.length, heard);
      assert.equal(stranger.packets.length, 0);
      stranger.close();
      own.hangUp();
      const sums = async () => (await at.status()).stories.flatMap(({ events }) => events).filter(({ event }) => event === 'sums').at(-1);
      await until('the sums', async () => (await sums())?.packets_in === heard, 5_000);
      assert.equal((await sums()).refused, heard === 1 ? 5 : 0);
    }
  } finally {
    await loose.stop();
  }
});

test('encryption and profile are what the endpoint says', async () => {
  const crypto = { lines: [KEY] };
  for (const [user, offer, status] of [
    ['plain', {}, 200],
    ['plain', { profile: 'RTP/SAVP', ...crypto }, 488],
    ['feedback', {}, 488],
    ['feedback', { profile: 'RTP/AVPF' }, 200],
    ['secure', {}, 488],
    ['secure', { profile: 'RTP/SAVP', ...crypto }, 200],
    ['short', { profile: 'RTP/SAVP', ...crypto }, 200],
    ['maybe', {}, 200],
    ['maybe', crypto, 200],
    ['browser', {}, 488],
  ]) {
    const own = await phone(user);
    assert.equal(await own.invite(offer), status, `${user} ${JSON.stringify(offer)}`);
    if (status !== 200) continue;
    assert.equal(/^a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:/m.test(own.sdp), Boolean(offer.lines), own.sdp);
    own.hangUp();
  }
});

/** DTLS by OpenSSL, from a port of its own; what it exports for SRTP. */
async function shakeHands(own, folder) {
  const args = ['s_client', '-dtls1_2', '-connect', `127.0.0.1:${own.port}`, '-cert', join(folder, 'cert'), '-key', join(folder, 'key')];
  args.push('-use_srtp', 'SRTP_AES128_CM_SHA1_80', '-keymatexport', 'EXTRACTOR-dtls_srtp', '-keymatexportlen', '60');
  const client = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [client.stdout, client.stderr]) stream.on('data', (text) => (said += text));
  const exported = () => /Keying material: ([0-9A-F]{120})/.exec(said)?.[1];
  await until('keys', () => Boolean(exported()), 5_000).catch((error) => {
    throw new Error(`${error.message}\n${said}\n${server.log}`);
  });
  return { said, end: () => client.kill(), ...directions(Buffer.from(exported(), 'hex')) };
}

const printOf = (file) => /=([0-9A-F:]+)/.exec(execFileSync('openssl', ['x509', '-noout', '-sha256', '-fingerprint', ...file]))[1];

test('DTLS without ICE: media is encrypted with what the handshake agreed', async () => {
  const folder = await temporaryFolder('dtls');
  await mkdir(folder, { recursive: true });
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=phone'];
  execFileSync('openssl', [...request, '-keyout', join(folder, 'key'), '-out', join(folder, 'cert')], { stdio: 'ignore' });
  const own = await phone('dtls');
  const print = printOf(['-in', join(folder, 'cert')]);
  assert.equal(await own.invite(), 488, 'without encryption');
  const offer = { profile: 'UDP/TLS/RTP/SAVP', lines: ['a=rtcp-mux', `a=fingerprint:sha-256 ${print}`, 'a=setup:active'] };
  own.toTag = undefined;
  assert.equal(await own.invite({ cseq: 2, ...offer }), 200);
  assert.match(own.sdp, /^m=audio \d+ UDP\/TLS\/RTP\/SAVP 0\r\n/m);
  assert.match(own.sdp, /^a=setup:passive\r$/m);
  const keys = await shakeHands(own, folder);
  const shown = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/.exec(keys.said)[0];
  const theirs = /=([0-9A-F:]+)/.exec(execFileSync('openssl', ['x509', '-noout', '-sha256', '-fingerprint'], { input: shown }))[1];
  assert.ok(own.sdp.includes(`a=fingerprint:sha-256 ${theirs}`), 'the certificate that was told');
  const clear = { send: (packet, port, host) => own.rtp.send(packet, port, host) };
  const sealed = { send: (packet, port, host) => own.rtp.send(keys.client.seal(packet), port, host) };
  for (let count = 0; count < 5; count += 1) own.speak(clear);
  for (let count = 0; count < 5; count += 1) own.speak(sealed);
  const echoed = () => own.packets.map(({ bytes }) => keys.server.open(bytes)).filter(Boolean);
  await until('five packets under its key', () => echoed().length === 5, 3_000);
  assert.deepEqual(echoed().map((packet) => packet[50]), [5, 6, 7, 8, 9], 'what came in the clear is not heard');
  assert.equal(own.packets.length, 5, 'nothing is sent in the clear');
  keys.end();
});

test('ICE is answered where the endpoint and the phone have it', async () => {
  const lines = ['a=ice-ufrag:abcd', 'a=ice-pwd:0123456789012345678901', 'a=candidate:1 1 UDP 2130706431 127.0.0.1 9 typ host'];
  for (const [user, offered, is] of [['ice', lines, true], ['ice', [], false], ['plain', lines, false]]) {
    const own = await phone(user);
    assert.equal(await own.invite({ lines: offered }), 200);
    assert.equal(/^a=candidate:1 1 udp \d+ 127\.0\.0\.1 \d+ typ host\r$/m.test(own.sdp), is, own.sdp);
    assert.equal(/^a=ice-ufrag:/m.test(own.sdp), is);
    own.hangUp();
  }
});

test('codecs are answered in the order the endpoint prefers', async () => {
  for (const [user, answered] of [
    ['ranked', '0 8 9'],
    ['theirs', '9 8 0'],
    ['remote', '9'],
    ['alone', '0'],
  ]) {
    const own = await phone(user);
    assert.equal(await own.invite({ formats: '18 9 8 0' }), 200, user);
    assert.equal(/^m=audio \d+ RTP\/AVP (.*)\r$/m.exec(own.sdp)[1], answered, user);
    own.hangUp();
  }
});

test('who calls when all ports are taken gets 503 with the reason', async () => {
  const narrow = await startServer({ files: files('rtpstart=22200\nrtpend=22209') });
  try {
    // Each thread of media has a port of them as well.
    const served = [];
    let last;
    do {
      last = await phone('plain', narrow);
      served.push(await last.invite());
    } while (served.at(-1) === 200 && served.length < 6);
    assert.equal(served.at(-1), 503, `${served}`);
    assert.ok(served.length > 1);
    const refusal = last.received.find((text) => text.startsWith('SIP/2.0 503'));
    assert.match(refusal, /^Reason: Q\.850;cause=47;text="Resource unavailable"\r$/m);
    assert.match(refusal, /^Retry-After: \d+\r$/m);
    for (const own of phones) own.hangUp();
    await until('the ports are given back', async () => (await narrow.status()).counts.port_pairs === 0, 5_000);
    const later = await phone('plain', narrow);
    assert.equal(await later.invite(), 200);
    later.hangUp();
  } finally {
    await narrow.stop();
  }
});

test('rtcp_mux puts RTCP on the port of RTP', async () => {
  const own = await phone('muxed');
  assert.equal(await own.invite({ lines: ['a=rtcp-mux'] }), 200);
  assert.match(own.sdp, /^a=rtcp-mux\r$/m);
  own.speak();
  const is_report = ({ bytes }) => bytes[1] === 200 || bytes[1] === 201;
  await until('a report', () => own.packets.some(is_report), 6_000);
});

test('hold and resume by re-INVITE', async () => {
  const own = await phone('plain');
  assert.equal(await own.invite(), 200);
  own.speak();
  await until('its echo', () => own.packets.length === 1, 3_000);
  assert.equal(await own.invite({ cseq: 2, lines: ['a=inactive'] }), 200);
  own.speak();
  await wait(200);
  assert.equal(own.packets.length, 1);
  assert.equal(await own.invite({ cseq: 3 }), 200);
  own.speak();
  await until('its echo again', () => own.packets.length === 2, 3_000);
});
