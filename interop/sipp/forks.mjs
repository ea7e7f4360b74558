// Dial between phones of SIPp: several ring, one answers or none; who is late, who is gone, who sends the call on.
import assert from 'node:assert/strict';

import { Callee, Caller, sdp } from '../lib/dialogue.mjs';
import { talk } from '../lib/voice.mjs';

const ELSEWHERE = { Reason: 'SIP ?; ?cause=200 ?; ?text="Call completed elsewhere"' };
const BOTH = ['exten => both,1,Dial(PJSIP/<one>&PJSIP/<two>,20)'];

/** Rings until the other has answered. */
const loser = () => new Callee().isCalled().replies('180 Ringing').isCancelled({ has: ELSEWHERE });
/** Rings until the test lets it answer; is hung up at the end. */
const winner = (voice) => new Callee().isCalled().replies('180 Ringing').gate().replies('200 OK', { body: sdp(voice) }).takes('ACK').isLeft();
/** Calls, and hangs up when the test lets it. */
const calls = (number, voice) => new Caller(number).calls({ body: sdp(voice) }).gate().leaves();

/** The call is up between these: both hear each other, then the caller hangs up. */
async function talksAndEnds(caller, one, called, other) {
  one.say(await caller.place());
  other.say(await called.place());
  await talk(one, other);
  await caller.go();
}

/** Two are called; what the first does decides nothing for the second, which answers. */
async function otherAnswers(scene, first) {
  const [one, other] = [await scene.voice(450), await scene.voice(700)];
  const refusing = await scene.start('one', first);
  const called = await scene.start('two', winner(other));
  const caller = await scene.start('caller', calls('both', one));
  await refusing.ended;
  await called.go();
  await talksAndEnds(caller, one, called, other);
}

/** Everybody refuses: what the caller is told. */
async function allRefuse(scene, statuses, told, reason) {
  for (const [role, status] of Object.entries(statuses)) await scene.start(role, new Callee().refuses(status));
  const dialogue = new Caller('both').invites({ body: sdp(await scene.voice(450)) }).waits().expects(told, { has: reason }).acksRefusal();
  await scene.start('caller', dialogue);
}

/** A call that is sent on by 302 is answered by `target`. */
async function isSentOn(scene, contact) {
  const [one, other] = [await scene.voice(450), await scene.voice(700)];
  await scene.start('away', new Callee().refuses('302 Moved Temporarily', { more: [`Contact: <${contact}>`] }));
  const called = await scene.start('target', new Callee().picksUp({ body: sdp(other), has: { Diversion: 'reason=' } }).isLeft());
  const dialogue = new Caller('away').invites({ body: sdp(one) }).expects(100, { optional: true }).expects(181).waits().expects(200).acks().gate().leaves();
  const caller = await scene.start('caller', dialogue);
  await talksAndEnds(caller, one, called, other);
}

/**
 * Rings, and answers when `begins` says so. CANCEL, ACK and BYE may come in any moment, also while it says something: SIPp
 * goes on where they are dealt with, and what it has not answered comes again. It is over some time after the BYE, or
 * `patience_ms` after anything else.
 */
function answersInAnyCase(voice, begins, patience_ms) {
  const dialogue = new Callee();
  for (const [method, next] of [['CANCEL', 'cancelled'], ['BYE', 'left'], ['ACK', 'waits']]) dialogue.takes(method, { optional: 'global', next });
  begins(dialogue.isCalled().replies('180 Ringing'));
  dialogue.label('answers').replies('200 OK', { body: sdp(voice), retransmitted: false });
  dialogue.label('waits').takes(NEVER, { within: [patience_ms, 'over'] });
  dialogue.label('cancelled').answers('200 OK').replies('487 Request Terminated', { next: 'waits', retransmitted: false });
  dialogue.label('left').answers('200 OK').takes(NEVER, { within: [LEAVES_MS, 'over'] });
  // A patience that leads to the very end counts as a failure.
  return dialogue.label('over').pause(1);
}

/** Its final answer is acknowledged, and it is hung up if that was its 200. */
async function isSettled(phone) {
  const said = await phone.said(/^SIP\/2.0 (200|487)[^]*^CSeq: *\d+ INVITE/m);
  assert.ok((await phone.got(/^ACK/)).length > 0, 'its final answer is acknowledged');
  assert.equal((await phone.got(/^BYE/)).length > 0, said[0].startsWith('SIP/2.0 200'), 'it is hung up if it answered first');
}

/** The called answers after a while, and the caller gives up so much later or sooner. */
async function crosses(scene, later_ms) {
  const [one, other] = [await scene.voice(450), await scene.voice(700)];
  const rings = (dialogue) => dialogue.takes(NEVER, { within: [RINGS_MS, 'answers'] });
  const called = await scene.start('one', answersInAnyCase(other, rings, LEAVES_MS));
  const gives = new Caller('one').invites({ body: sdp(one) }).expects(100, { optional: true }).expects(180);
  // Answered before it could give up, it hangs up.
  gives.expects(200, { within: [RINGS_MS + later_ms, 'gives'] }).acks().leaves().ends();
  gives.label('gives').cancels().expectsEither('late').expects(487, { optional: true, next: 'refused' }).expects(200).acks().isLeft().ends();
  gives.label('late').expects(200).acks().isLeft().ends();
  gives.label('refused').acksRefusal();
  await scene.start('caller', gives);
  await Promise.all(scene.running.map(({ ended }) => ended));
  await isSettled(called);
}

const RINGS_MS = 100;
const LEAVES_MS = 1_000;
const TALKS_MS = 20_000;
/** Nobody sends such a request. */
const NEVER = 'NEVER';
const CROWD = 60;
const CROWD_RINGS_MS = 1_500;
const CROWD_MS = 5_000;
const THREE = { caller: {}, one: {}, two: {} };

export const FORKS = {
  'two endpoints ring: who loses is told where it was answered': {
    phones: THREE,
    plan: BOTH,
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      await scene.start('one', loser());
      const called = await scene.start('two', winner(other));
      const caller = await scene.start('caller', calls('both', one));
      await called.go();
      await talksAndEnds(caller, one, called, other);
    },
  },
  'three contacts of one address ring, one of which is dead': {
    phones: { caller: {}, one: { contacts: ['sip:one@{one}:{port}', 'sip:one@{two}:{port}', 'sip:one@{dead}:{port}'] }, two: {}, dead: {} },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      await scene.start('one', loser());
      const called = await scene.start('two', winner(other));
      const caller = await scene.start('caller', calls('one', one));
      await called.go();
      await talksAndEnds(caller, one, called, other);
    },
  },
  'a contact that takes everything and says nothing holds up nobody': {
    phones: { caller: {}, one: {}, mute: {} },
    plan: ['exten => both,1,Dial(PJSIP/<mute>&PJSIP/<one>,20)'],
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      // A socket at the place of the phone.
      const mute = await scene.voice(900, scene.ip('mute'), scene.stage.port);
      const called = await scene.start('one', winner(other));
      const caller = await scene.start('caller', calls('both', one));
      await called.go();
      await talksAndEnds(caller, one, called, other);
      const heard = mute.packets.map(({ bytes }) => String(bytes).split(' ')[0]);
      // RFC 3261 §9.1: no CANCEL before a provisional response.
      assert.deepEqual([...new Set(heard)], ['INVITE']);
    },
  },
  'busy at one, answered at the other': {
    phones: THREE,
    plan: BOTH,
    play: (scene) => otherAnswers(scene, new Callee().isCalled().replies('180 Ringing').replies('486 Busy Here').takes('ACK')),
  },
  'declined by one with 603, answered at the other': {
    phones: THREE,
    plan: BOTH,
    play: (scene) => otherAnswers(scene, new Callee().isCalled().replies('180 Ringing').replies('603 Decline').takes('ACK')),
  },
  'busy at both': {
    phones: THREE,
    plan: BOTH,
    play: (scene) => allRefuse(scene, { one: '486 Busy Here', two: '486 Busy Here' }, 486, { Reason: 'Q.850 ?; ?cause=17' }),
  },
  'busy at one, not there at the other': {
    phones: THREE,
    plan: BOTH,
    play: (scene) => allRefuse(scene, { one: '404 Not Found', two: '486 Busy Here' }, 486, { Reason: 'Q.850 ?; ?cause=17' }),
  },
  'both answer in the same moment: one is acknowledged and hung up': {
    phones: THREE,
    plan: BOTH,
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const called = () => answersInAnyCase(other, (dialogue) => dialogue.gate(), TALKS_MS);
      const phones = [await scene.start('one', called()), await scene.start('two', called())];
      const caller = await scene.start('caller', calls('both', one));
      for (const phone of phones) await phone.atGate();
      await Promise.all(phones.map((phone) => phone.go()));
      const lost = await Promise.race(phones.map((phone) => phone.ended.then(() => phone)));
      await isSettled(lost);
      const won = phones.find((phone) => phone !== lost);
      assert.deepEqual(await won.got(/^BYE/), []);
      await talksAndEnds(caller, one, won, other);
    },
  },
  'who answers after the CANCEL is acknowledged and hung up': {
    phones: THREE,
    plan: BOTH,
    async play(scene) {
      const [one, late, other] = [await scene.voice(450), await scene.voice(900), await scene.voice(700)];
      const dialogue = new Callee().isCalled().replies('180 Ringing').takes('CANCEL', { has: ELSEWHERE }).answers('200 OK');
      const slow = await scene.start('one', dialogue.replies('200 OK', { body: sdp(late) }).takes('ACK').isLeft());
      const called = await scene.start('two', winner(other));
      const caller = await scene.start('caller', calls('both', one));
      await called.go();
      await slow.ended;
      await talksAndEnds(caller, one, called, other);
    },
  },
  'the caller gives up while it rings': {
    phones: THREE,
    plan: BOTH,
    async play(scene) {
      const gone = () => new Callee().isCalled().replies('180 Ringing').isCancelled();
      const phones = [await scene.start('one', gone()), await scene.start('two', gone())];
      const dialogue = new Caller('both').invites({ body: sdp(await scene.voice(450)) }).expects(100, { optional: true }).expects(180).gate();
      const caller = await scene.start('caller', dialogue.cancels().expects(200).expects(487).acksRefusal());
      for (const phone of phones) await phone.awaits(/^INVITE/);
      await caller.go();
    },
  },
  'the caller gives up, and the called answers all the same': {
    phones: { caller: {}, one: {} },
    async play(scene) {
      const voice = await scene.voice(450);
      const called = new Callee().isCalled().replies('180 Ringing').takes('CANCEL').answers('200 OK').replies('200 OK', { body: sdp(voice) }).takes('ACK').isLeft();
      await scene.start('one', called);
      const dialogue = new Caller('one').invites({ body: sdp(voice) }).expects(100, { optional: true }).expects(180);
      await scene.start('caller', dialogue.cancels().expects(200).expects(487).acksRefusal());
    },
  },
  'the caller gives up as it is answered: the 200 and the CANCEL cross': {
    phones: { caller: {}, one: {} },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const called = await scene.start('one', winner(other));
      // It has not seen the 200 yet; once it has, it acknowledges it and is hung up.
      const dialogue = new Caller('one').invites({ body: sdp(one) }).expects(100, { optional: true }).expects(180).expects(200);
      await scene.start('caller', dialogue.cancels().expects(200).acks().isLeft());
      await called.go();
    },
  },
  'the caller gives up in the moment of the answer, a little sooner and a little later': {
    phones: { caller: {}, one: {} },
    async play(scene) {
      for (const later_ms of [-8, -4, -2, 0, 2, 4, 8]) await crosses(scene, later_ms);
    },
  },
  'nobody answers in time': {
    phones: { caller: {}, one: {} },
    plan: ['exten => brief,1,Dial(PJSIP/<one>,1)', ' same => n,Hangup(19)'],
    async play(scene) {
      await scene.start('one', new Callee().isCalled().replies('180 Ringing').isCancelled());
      const dialogue = new Caller('brief').invites({ body: sdp(await scene.voice(450)) }).expects(100, { optional: true }).expects(180);
      await scene.start('caller', dialogue.expects(480, { has: { Reason: 'Q.850 ?; ?cause=19' } }).acksRefusal());
    },
  },
  'a phone dies in the call: its silence ends it for the other': {
    phones: { caller: {}, one: { endpoint: 'rtp_timeout=2' } },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const called = await scene.start('one', new Callee().picksUp({ body: sdp(other) }));
      const caller = await scene.start('caller', new Caller('one').calls({ body: sdp(one) }).isLeft());
      one.say(await caller.place());
      other.say(await called.place());
      await talk(one, other);
      await called.ended;
      other.hush();
      const silent = performance.now();
      await caller.ended;
      const lasted_ms = performance.now() - silent;
      assert.ok(lasted_ms > 1_500 && lasted_ms < 8_000, `it ended after ${lasted_ms} ms`);
    },
  },
  'a call is sent on by 302 to an extension (redirect_method=user)': {
    phones: { caller: {}, away: { endpoint: 'redirect_method=user' }, target: {} },
    play: (scene) => isSentOn(scene, 'sip:target@192.0.2.1'),
  },
  'a call is sent on by 302 to an address (redirect_method=uri_core)': {
    phones: { caller: {}, away: { endpoint: 'redirect_method=uri_core' }, target: {} },
    play: (scene) => isSentOn(scene, scene.uri('target')),
  },
  'a call is sent on by 302 to an address (redirect_method=uri_pjsip)': {
    phones: { caller: {}, away: { endpoint: 'redirect_method=uri_pjsip' }, target: {} },
    play: (scene) => isSentOn(scene, scene.uri('target')),
  },
  'a called proxy says 181 and 182 before it rings': {
    phones: { caller: {}, one: {} },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const dialogue = new Callee().isCalled().replies('181 Call Is Being Forwarded', { more: ['Diversion: <sip:one@192.0.2.1>;reason=no-answer'] }).pause(50).replies('182 Queued').pause(50).replies('180 Ringing').gate();
      const called = await scene.start('one', dialogue.replies('200 OK', { body: sdp(other) }).takes('ACK').isLeft());
      const caller = await scene.start('caller', new Caller('one').invites({ body: sdp(one) }).expects(100, { optional: true }).expects(180).expects(200).acks().gate().leaves());
      await called.go();
      await talksAndEnds(caller, one, called, other);
    },
  },
  'two are heard before one of them answers: then it is that one': {
    phones: THREE,
    plan: BOTH,
    async play(scene) {
      const [one, first, second] = [await scene.voice(450), await scene.voice(700), await scene.voice(950)];
      const early = (voice) => new Callee().isCalled().replies('183 Session Progress', { body: sdp(voice) });
      const heard = await scene.start('one', early(first).isCancelled({ has: ELSEWHERE }));
      const called = await scene.start('two', early(second).gate().replies('200 OK', { body: sdp(second) }).takes('ACK').isLeft());
      const caller = await scene.start('caller', calls('both', one));
      first.say(await heard.place());
      second.say(await called.place());
      one.say(await caller.place());
      await Promise.race([one.hears(first.tone_hz), one.hears(second.tone_hz)]);
      await called.go();
      await caller.atGate();
      await talk(one, second);
      await caller.go();
    },
  },
  'a proxy forks: one phone behind it is heard before the answer, and another one answers': {
    phones: { caller: {}, one: {} },
    async play(scene) {
      const [one, first, second] = [await scene.voice(450), await scene.voice(700), await scene.voice(950)];
      const dialogue = new Callee().isCalled().replies('183 Session Progress', { body: sdp(first) }).gate().isAlso('other').replies('180 Ringing');
      const called = await scene.start('one', dialogue.replies('200 OK', { body: sdp(second) }).takes('ACK').isLeft());
      const caller = await scene.start('caller', calls('one', one));
      one.say(await caller.place());
      first.say(await called.place());
      await talk(one, first);
      await called.go();
      first.hush();
      await talksAndEnds(caller, one, called, second);
      await first.hearsNothing(200);
    },
  },
  'what is heard before the answer comes from one place, and after it from another': {
    phones: { caller: {}, one: {} },
    async play(scene) {
      const [one, first, second] = [await scene.voice(450), await scene.voice(700), await scene.voice(950)];
      const dialogue = new Callee().isCalled().replies('183 Session Progress', { body: sdp(first) }).gate();
      const called = await scene.start('one', dialogue.replies('200 OK', { body: sdp(second, { version: 2 }) }).takes('ACK').isLeft());
      const caller = await scene.start('caller', calls('one', one));
      one.say(await caller.place());
      first.say(await called.place());
      await talk(one, first);
      await called.go();
      first.hush();
      await talksAndEnds(caller, one, called, second);
    },
  },
  'a phone that is sent on to itself is not called for ever': {
    phones: { caller: {}, away: {} },
    async play(scene) {
      const away = new Callee().refuses('302 Moved Temporarily', { more: ['Contact: <sip:away@192.0.2.1>'] });
      const phone = await scene.start('away', away, { calls: 1_000, endless: true });
      const caller = await scene.start('caller', new Caller('away').invites({ body: sdp(await scene.voice(450)) }).skips('181').expects(503).acksRefusal());
      await caller.ended;
      const asked = (await phone.got(/^INVITE/)).length;
      assert.ok(asked > 1 && asked < 64, `it was asked ${asked} times`);
    },
  },
  'sixty calls of a trunk ring and are up at once, and none is left': {
    phones: { caller: {}, one: {} },
    async play(scene) {
      const voice = await scene.voice(450);
      const called = new Callee().isCalled().replies('180 Ringing').pause(CROWD_RINGS_MS).replies('200 OK', { body: sdp(voice) }).takes('ACK').isLeft();
      await scene.start('one', called, { calls: CROWD });
      const caller = await scene.start('caller', new Caller('one').calls({ body: sdp(voice) }).pause(CROWD_MS).leaves(), { calls: CROWD, a_second: 30 });
      let most = 0;
      while (!caller.isOver) most = Math.max(most, Number(/(\d+) active calls?/.exec(await scene.ask('core show channels'))[1]));
      assert.ok(most >= CROWD, `${most} were up at most`);
    },
  },
};
