// Pictures between Chromium and a desk phone with plain RTP, which sends back every packet it is sent. A phone
// without video is not offered any, and the browser shows a voice; a transfer brings pictures on and takes them off.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { after, before, test } from 'node:test';

import { startChromium } from '../lib/chromium.mjs';
import { files, PASSWORD } from '../lib/files.mjs';
import { startLinphone } from '../lib/linphone.mjs';
import { receivedVideo } from '../lib/page.mjs';
import { hangUp, idle, openPage } from '../lib/phone.mjs';
import { ask, startServer, until, wait } from '../lib/server.mjs';

const DESKS = { seen: 'ulaw,vp8', heard: 'ulaw', other: 'ulaw,h264' };

const desk = (name) => `[${name}]
type=endpoint
context=sets
disallow=all
allow=${DESKS[name]}
`;

/** linphonec, with sound and pictures on one port. */
const LINDA = `[linda]
type=endpoint
context=sets
aors=linda
auth=linda
disallow=all
allow=ulaw,vp8
bundle=yes
[linda]
type=auth
username=linda
password=${PASSWORD}
[linda]
type=aor
max_contacts=1
`;

let server;
let browser;
let page;
const phones = {};

async function socket(onMessage) {
  const own = createSocket('udp4');
  own.on('message', onMessage);
  await new Promise((done) => own.bind(0, '127.0.0.1', done));
  return own;
}

/** Answers what it is called with, as far as it has `formats` (by the kind of the stream), and echoes media. */
async function startPhone(formats) {
  const phone = { counts: { audio: 0, video: 0 }, types: new Set(), answers: [], infos: 0, cseq: 1 };
  const echo = (kind) => (bytes, from) => {
    phone.counts[kind] += 1;
    if (kind === 'video') phone.types.add(bytes[1] & 0x7f);
    phone[kind].send(bytes, from.port, from.address);
  };
  phone.audio = await socket(echo('audio'));
  phone.video = await socket(echo('video'));
  phone.sip = await socket((bytes, from) => {
    const text = String(bytes);
    const kept = text.split('\r\n').filter((line) => /^(Via|From|Call-ID|CSeq):/i.test(line));
    const to = text.split('\r\n').find((line) => /^To:/i.test(line));
    const send = (lines) => phone.sip.send(lines.join('\r\n'), from.port, from.address);
    if (text.startsWith('SIP/2.0')) phone.answers.push(text);
    if (/^(BYE|INFO|OPTIONS|NOTIFY)/.test(text)) {
      if (/picture_fast_update/.test(text)) phone.infos += 1;
      send(['SIP/2.0 200 OK', ...kept, to, 'Content-Length: 0', '', '']);
    }
    if (!text.startsWith('INVITE') || phone.invite === text) return;
    Object.assign(phone, { invite: text, from, kept, to: `${to};tag=desk` });
    const lines = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0'];
    for (const [, kind, profile, offered] of text.matchAll(/^m=(\w+) \d+ (\S+) (.*)\r$/gm)) {
      const format = formats[kind]?.(text, offered.split(' '));
      const port = format === undefined ? 0 : phone[kind].address().port;
      lines.push(`m=${kind} ${port} ${profile} ${format ?? offered}`);
      if (kind === 'video' && format !== undefined) lines.push(`a=rtpmap:${format} VP8/90000`);
    }
    const body = [...lines, ''].join('\r\n');
    const contact = `Contact: <sip:desk@127.0.0.1:${phone.sip.address().port}>`;
    send(['SIP/2.0 200 OK', ...kept, phone.to, contact, 'Content-Type: application/sdp', `Content-Length: ${body.length}`, '', body]);
  });
  /** A request of the phone in the call. */
  phone.ask = (method, type, body, headers = []) => {
    const header = (name) => phone.kept.find((line) => line.toLowerCase().startsWith(`${name}:`));
    const target = /^Contact: *<([^>]+)>/im.exec(phone.invite)[1];
    const value = (line) => line.slice(line.indexOf(':') + 1).trim();
    phone.cseq += 1;
    const lines = [`${method} ${target} SIP/2.0`, `Via: SIP/2.0/UDP 127.0.0.1:${phone.sip.address().port};branch=z9hG4bKdesk${phone.cseq}`];
    lines.push('Max-Forwards: 70', `From: ${value(phone.to)}`, `To: ${value(header('from'))}`, header('call-id'), `CSeq: ${phone.cseq} ${method}`);
    lines.push(...headers, `Content-Type: ${type}`, `Content-Length: ${body.length}`, '', body);
    phone.sip.send(lines.join('\r\n'), phone.from.port, phone.from.address);
  };
  phone.close = () => [phone.sip, phone.audio, phone.video].forEach((own) => own.close());
  return phone;
}

before(async () => {
  const vp8 = (text, offered) => offered.find((number) => new RegExp(`^a=rtpmap:${number} VP8/90000`, 'm').test(text));
  const ulaw = (_, offered) => offered.find((number) => number === '0');
  for (const name of Object.keys(DESKS)) phones[name] = await startPhone({ audio: ulaw, video: vp8 });
  const plan = `[sets]\n${Object.keys(DESKS)
    .map((name, nth) => `exten => ${nth + 1}00,1,Dial(PJSIP/${name}/sip:${name}@127.0.0.1:${phones[name].sip.address().port},20)\n`)
    .join('')}exten => alice,1,Dial(PJSIP/alice,20)\nexten => 400,1,Answer()\n same => n,Dial(PJSIP/heard/sip:heard@127.0.0.1:${phones.heard.sip.address().port},20)\n`;
  const accounts = (ports) => {
    const written = files(plan)(ports);
    const pjsip = written['pjsip.conf'].replace('allow=opus,ulaw,vp8', 'allow=opus,ulaw,vp8,h264');
    written['pjsip.conf'] = `[transport-udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:${ports.sip}\n${pjsip}${LINDA}${Object.keys(DESKS).map(desk).join('\n')}`;
    return written;
  };
  server = await startServer({ files: accounts });
  browser = await startChromium({});
  page = await openPage(browser, server, { account: { user: 'alice', password: 'wonderland' } });
});

after(async () => {
  await browser?.close();
  await server?.stop();
  for (const phone of Object.values(phones)) phone.close();
});

const inPhase = (wanted) =>
  until(wanted, () => page.evaluate((phase) => document.querySelector('[data-testid="phase"]').dataset.phase === phase, wanted), 8_000).catch((error) => {
    throw new Error(`${error.message}\n${server.log}`);
  });

async function calls(number) {
  await page.evaluate((text) => {
    const field = document.querySelector('[data-testid="number"]');
    field.value = text;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    setTimeout(() => document.querySelector('[data-testid="call"]').click(), 0);
  }, number);
  await inPhase('talking');
}

/** The pictures the browser's answer has: none, where the port of its section is 0. */
const answered = () =>
  page.evaluate(() => [...window.__sidetone.pc().currentRemoteDescription.sdp.matchAll(/^m=video (\d+) /gm)].map(([, port]) => Number(port)));

const sentVideo = () =>
  page.evaluate(async () => {
    const stats = [...(await window.__sidetone.pc().getStats()).values()];
    const sent = stats.filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
    return { pli: sent.reduce((sum, { pliCount }) => sum + (pliCount ?? 0), 0) };
  });

test('a desk phone with VP8 is offered it, and its pictures are seen', async () => {
  const phone = phones.seen;
  await calls('100');
  assert.match(phone.invite, /^m=video [1-9]\d* RTP\/AVP \d+\r$/m);
  assert.match(phone.invite, /^a=rtpmap:\d+ VP8\/90000\r$/m);
  assert.ok((await answered())[0] > 0);
  const frames = async () => (await page.evaluate(receivedVideo)).reduce((sum, stream) => sum + stream.frames, 0);
  await until('decoded frames', async () => (await frames()) > 10, 8_000).catch(async (error) => {
    throw new Error(`${error.message} ${JSON.stringify([phone.counts, await page.evaluate(receivedVideo), await sentVideo()])}\n${server.log}`);
  });
  const before = await frames();
  await until('more of them', async () => (await frames()) > before + 10, 5_000);
  assert.ok(phone.counts.video > 20 && phone.counts.audio > 20, JSON.stringify(phone.counts));
  assert.deepEqual([...phone.types].filter((type) => type < 64 || type > 95).length, 1, 'one payload type, no RTX');
  // Its wish for a key frame, by INFO, reaches the browser as PLI.
  const { pli } = await sentVideo();
  const wish = '<?xml version="1.0"?><media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder></vc_primitive></media_control>';
  phone.ask('INFO', 'application/media_control+xml', wish);
  await until('the PLI', async () => (await sentVideo()).pli > pli, 5_000);
  assert.match(phone.answers.at(-1), /^SIP\/2\.0 200 /);
  await hangUp(page);
  await idle(server, 5_000);
});

/** What the page shows of the other party: `voice`, `picture` (which moves or not), or nothing. */
const shown = () =>
  page.evaluate(() => {
    const tile = document.querySelector('[data-testid="remote-tile"]');
    if (tile) return tile.dataset.live === 'true' ? 'picture' : 'still';
    return document.querySelector('[data-testid="voice-tile"]') ? 'voice' : 'nothing';
  });

/** The direction of pictures by the description of the exchange that the browser has. */
const direction = () =>
  page.evaluate(() => {
    const section = window.__sidetone.pc().currentRemoteDescription.sdp.split(/^(?=m=)/m).find((text) => text.startsWith('m=video'));
    return /^a=(sendrecv|sendonly|recvonly|inactive)\r$/m.exec(section)[1];
  });

const framesSent = () =>
  page.evaluate(async () => {
    const stats = [...(await window.__sidetone.pc().getStats()).values()];
    return stats.filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'video').reduce((sum, { framesSent = 0 }) => sum + framesSent, 0);
  });

async function shows(what, ms = 8_000) {
  await until(`the page with: ${what}`, async () => (await shown()) === what, ms).catch(async (error) => {
    throw new Error(`${error.message} but: ${await shown()}, ${await direction()}\n${server.log}`);
  });
}

test('a desk phone without video is not offered it, and the browser sends none and shows a voice', async () => {
  const phone = phones.heard;
  await calls('200');
  assert.doesNotMatch(phone.invite, /^m=video/m);
  assert.equal(await direction(), 'inactive');
  assert.ok((await answered())[0] > 0, 'the line stays for the next party');
  await until('sound', () => phone.counts.audio > 20, 5_000);
  await wait(200);
  assert.equal(phone.counts.video, 0);
  assert.equal(await framesSent(), 0);
  assert.equal(await shown(), 'voice');
  await hangUp(page);
  await idle(server, 5_000);
});

test('a browser that was answered before the phone was known is offered to go on without video', async () => {
  await calls('400');
  await until('the offer', async () => (await direction()) === 'inactive', 8_000);
  await shows('voice');
  await hangUp(page);
  await idle(server, 5_000);
});

test('a transfer to a phone with video brings the pictures on, one to a phone without takes them off', async () => {
  const transfer = (phone, number) => {
    const contact = `Contact: <sip:desk@127.0.0.1:${phone.sip.address().port}>`;
    phone.ask('REFER', 'text/plain', '', [contact, `Refer-To: <sip:${number}@127.0.0.1>`]);
  };
  await calls('200');
  await shows('voice');
  transfer(phones.heard, '100');
  await shows('picture', 12_000);
  assert.equal(await direction(), 'sendrecv');
  const before = phones.seen.counts.video;
  await until('pictures at the phone', () => phones.seen.counts.video > before + 20, 5_000);
  transfer(phones.seen, '200');
  await shows('voice', 12_000);
  assert.equal(await direction(), 'inactive');
  const sent = await framesSent();
  await wait(500);
  assert.equal(await framesSent(), sent, 'the camera is not sent to nobody');
  await hangUp(page);
  await idle(server, 5_000);
});

test('a desk phone with H.264 alone is offered that alone, and may refuse it', async () => {
  const phone = phones.other;
  await calls('300');
  assert.match(phone.invite, /^a=rtpmap:\d+ H264\/90000\r$/m);
  assert.doesNotMatch(phone.invite, /VP8/);
  await until('sound', () => phone.counts.audio > 20, 5_000);
  await hangUp(page);
  await idle(server, 5_000);
});

test('linphonec has sound and pictures on one port (BUNDLE), and the browser sees and hears it', async () => {
  const linda = await startLinphone({ server, user: 'linda', password: PASSWORD, port: server.ports.sip, pictures: true, bundle: true });
  try {
    await until('linda is registered', () => server.log.includes('registered aor="linda"'), 10_000);
    await ask(server, 'pjsip set logger on');
    linda.dial('alice');
    await inPhase('incoming');
    await page.getByTestId('answer').click();
    await inPhase('talking');
    await until('a picture', async () => (await page.evaluate(receivedVideo)).some(({ frames }) => frames > 0), 10_000).catch((error) => {
      throw new Error(`${error.message}\n${server.log}`);
    });
    await ask(server, 'pjsip set logger off');
    const answer = server.log.split(' TRACE ').find((text) => text.includes('SIP/2.0 200 OK') && text.includes('a=group:BUNDLE as vs'));
    assert.match(answer, /^m=video [1-9]/m);
    const ports = [...answer.matchAll(/^m=\w+ (\d+) /gm)].map(([, port]) => port);
    assert.equal(new Set(ports).size, 1, answer);
    const before = server.log.length;
    await ask(server, 'rtp set debug on');
    for (const [way, kind] of [['Got', 'sound'], ['Got', 'pictures'], ['Sent', 'sound'], ['Sent', 'pictures']]) {
      const packet = new RegExp(`${way} +RTP packet (?:to|from) +127.0.0.1:(\\d+) \\(type ${kind === 'sound' ? '00' : '96'}`);
      const found = await until(`${kind}: ${way}`, () => packet.exec(server.log.slice(before)), 5_000);
      ports.push(`phone ${found[1]}`);
    }
    await ask(server, 'rtp set debug off');
    assert.equal(new Set(ports.slice(2)).size, 1, `${ports}`);
    await hangUp(page);
    await idle(server, 5_000);
  } finally {
    await linda.stop();
  }
});
