// Digits by SIP INFO and by RFC 4733, to the dial plan and to the other party, and what else INFO may bring.
import assert from 'node:assert/strict';

import { Callee, Caller, sdp } from '../lib/dialogue.mjs';
import { until, wait } from '../lib/server.mjs';
import { EVENT_TYPE, talk } from '../lib/voice.mjs';

const PATIENCE_MS = 10_000;
const EVENTS = { formats: `0 ${EVENT_TYPE}`, lines: ['a=rtpmap:0 PCMU/8000', `a=rtpmap:${EVENT_TYPE} telephone-event/8000`, `a=fmtp:${EVENT_TYPE} 0-16`] };
/** Where SIPp's package has its recordings of digits. */
const RECORDED = '/usr/share/sip-tester/dtmf_2833_';

const relay = (digit, ms = 160) => ({ body: { type: 'application/dtmf-relay', lines: [`Signal=${digit}`, `Duration=${ms}`] } });
const plain = (digit) => ({ body: { type: 'application/dtmf', lines: [digit] } });

/** `Read` of four digits, which then stand in the log. */
const READ = ['exten => read,1,Answer()', ' same => n,Read(D,,4,,1,6)', ' same => n,Verbose(1,${CHANNEL(endpoint)} dialled ${D}.)', ' same => n,Wait(10)'];

const wereRead = (scene, role, digits) => until(`${digits} are read`, () => scene.log.includes(`${scene.name(role)} dialled ${digits}.`), PATIENCE_MS);

/** The digits that came to a voice, as events: one for each time that they carry. */
function events(voice) {
  const seen = new Map();
  for (const { bytes } of voice.packets) {
    if ((bytes[1] & 0x7f) !== EVENT_TYPE) continue;
    const began = bytes.readUInt32BE(4);
    const ended = (bytes[13] & 0x80) !== 0;
    seen.set(began, { digit: bytes[12], ended: ended || seen.get(began)?.ended });
  }
  return [...seen.values()].filter(({ ended }) => ended).map(({ digit }) => digit);
}

export const DIGITS = {
  'INFO of both types is read by the dial plan, and what is no key is not': {
    phones: { caller: {} },
    plan: READ,
    async play(scene) {
      const dialogue = new Caller('read').calls({ body: sdp(await scene.voice(450)) });
      dialogue.asks('INFO', relay('5')).expects(200).pause(100);
      dialogue.asks('INFO', relay('x')).expects(400).asks('INFO').expects(200);
      dialogue.asks('INFO', { body: { type: 'application/broadsoft', lines: ['event flashhook'] } }).expects(415, { has: { Accept: 'application/dtmf-relay' } });
      for (const pressed of [relay('12'), plain('*'), plain('9')]) dialogue.asks('INFO', pressed).expects(200).pause(100);
      const caller = await scene.start('caller', dialogue.gate().leaves());
      await wereRead(scene, 'caller', '5A*9');
      await caller.go();
    },
  },
  'events of RFC 4733 are read by the dial plan': {
    phones: { caller: {} },
    plan: READ,
    async play(scene) {
      const voice = await scene.voice(450);
      const caller = await scene.start('caller', new Caller('read').calls({ body: sdp(voice, EVENTS) }).gate().leaves());
      voice.say(await caller.place());
      for (const digit of ['5', '*', '0', '9']) {
        await voice.press(digit);
        await wait(60);
      }
      await wereRead(scene, 'caller', '5*09');
      await caller.go();
    },
  },
  'events that SIPp has recorded are read by the dial plan': {
    phones: { caller: {} },
    plan: READ,
    async play(scene) {
      const own = { ...sdp({ ip: '[media_ip]', port: '[media_port]' }, EVENTS) };
      const dialogue = new Caller('read').calls({ body: own });
      for (const digit of ['5', 'star', '0', '9']) dialogue.plays(`play_pcap_audio="${RECORDED}${digit}.pcap"`).pause(400);
      const caller = await scene.start('caller', dialogue.gate().leaves());
      await wereRead(scene, 'caller', '5*09');
      await caller.go();
    },
  },
  'INFO of one party is an event for the other, each once': {
    phones: { caller: {}, called: {} },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const called = await scene.start('called', new Callee().picksUp({ body: sdp(other, EVENTS) }).isLeft());
      const dialogue = new Caller('called').calls({ body: sdp(one) }).gate();
      for (const pressed of [relay('1'), relay('10'), plain('2'), plain('2')]) dialogue.asks('INFO', pressed).expects(200).pause(250);
      const caller = await scene.start('caller', dialogue.gate().leaves());
      one.say(await caller.place());
      other.say(await called.place());
      await talk(one, other);
      other.mark();
      await caller.go();
      await caller.atGate();
      await until('all four are heard', () => events(other).length >= 4, PATIENCE_MS);
      assert.deepEqual(events(other), [1, 10, 2, 2]);
      await talk(one, other);
      await caller.go();
    },
  },
  'events of one party are INFO for the other (dtmf_mode=info), with their length': {
    phones: { caller: {}, called: { endpoint: 'dtmf_mode=info' } },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const hears = new Callee().picksUp({ body: sdp(other) });
      for (let key = 0; key < 3; key += 1) hears.takes('INFO', { has: { 'Content-Type': 'application/dtmf-relay' } }).answers('200 OK');
      const called = await scene.start('called', hears.gate().isLeft());
      const caller = await scene.start('caller', new Caller('called').calls({ body: sdp(one, EVENTS) }).gate().leaves());
      one.say(await caller.place());
      other.say(await called.place());
      await talk(one, other);
      for (const [digit, ms] of [['4', 100], ['#', 100], ['4', 400]]) {
        await one.press(digit, ms);
        await wait(100);
      }
      await called.go();
      const infos = (await called.got(/^INFO/)).map((text) => /Signal=(.)\s+Duration=(\d+)/.exec(text).slice(1));
      assert.deepEqual(infos.map(([digit]) => digit), ['4', '#', '4']);
      const lengths = infos.map(([, ms]) => Number(ms));
      for (const [at, ms] of [100, 100, 400].entries()) assert.ok(Math.abs(lengths[at] - ms) <= 40, `${lengths}`);
      await caller.go();
    },
  },
  'a phone that refuses one form of INFO is sent the other': {
    phones: { caller: {}, called: { endpoint: 'dtmf_mode=info' } },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const hears = new Callee().picksUp({ body: sdp(other) });
      hears.takes('INFO', { has: { 'Content-Type': 'application/dtmf-relay' } }).answers('415 Unsupported Media Type', { more: ['Accept: application/dtmf'] });
      hears.takes('INFO', { has: { 'Content-Type': 'application/dtmf' } }).answers('200 OK');
      const called = await scene.start('called', hears.gate().isLeft());
      const caller = await scene.start('caller', new Caller('called').calls({ body: sdp(one, EVENTS) }).gate().leaves());
      one.say(await caller.place());
      other.say(await called.place());
      await talk(one, other);
      await one.press('8');
      await called.go();
      assert.match((await called.got(/^INFO/)).at(-1), /\r?\n\r?\n8\s*$/);
      await caller.go();
    },
  },
  'INFO of a call that is not here is refused': {
    phones: { caller: {} },
    play: (scene) => scene.start('caller', new Caller('read').asksOutside('INFO', { ...relay('5'), to: '<sip:read@[remote_ip]>;tag=gone' }).expects(481)),
  },
};
