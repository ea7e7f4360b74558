// What changes in a call, before its answer and after: re-INVITE, UPDATE, PRACK, offers that come late, and both at once.
import assert from 'node:assert/strict';

import { Callee, Caller, sdp } from '../lib/dialogue.mjs';
import { PCMA, talk } from '../lib/voice.mjs';

const PAIR = { caller: {}, called: {} };
/** Told of a hold of the other party, instead of hearing music: by re-INVITE. */
const TOLD = { endpoint: 'moh_passthrough=yes' };

const picksUp = (voice) => new Callee().picksUp({ body: sdp(voice) });

/** The voices begin to say their tones to where the exchange wants them. */
async function speak(...pairs) {
  for (const [phone, voice, law] of pairs) voice.say(await phone.place(), law);
}

/** The caller has moved from `one` to `moved`: sound goes to the new place, and none to the old one. */
async function hasMoved(caller, one, moved, other, law) {
  one.hush();
  await speak([caller, moved, law]);
  await talk(moved, other);
  await one.hearsNothing();
}

/** A call in which the caller, by these steps, moves its sound to another address. */
async function moves(scene, steps) {
  const [one, other] = [await scene.voice(450), await scene.voice(700)];
  const moved = await scene.voice(950, scene.ip('caller'));
  const called = await scene.start('called', picksUp(other).isLeft());
  const dialogue = new Caller('called').calls({ body: sdp(one) }).gate();
  const caller = await scene.start('caller', steps(dialogue, moved).gate().leaves());
  await speak([caller, one], [called, other]);
  await talk(one, other);
  await caller.go();
  await caller.atGate();
  await hasMoved(caller, one, moved, other);
  await caller.go();
}

const HELD = /^INVITE[\s\S]*a=sendonly/m;

/**
 * The caller holds, so the exchange asks the called by re-INVITE, which does with it what `steps` says; it ends at a gate
 * with the hold told. Then all is resumed and both hear each other.
 */
async function isTold(scene, steps) {
  const [one, other] = [await scene.voice(450), await scene.voice(700)];
  const dialogue = steps(picksUp(other), other).gate();
  const resumed = dialogue.takes('INVITE').answers('200 OK', { body: sdp(other, { version: 9 }), retransmitted: true }).takes('ACK');
  const called = await scene.start('called', resumed.isLeft());
  const holds = new Caller('called').calls({ body: sdp(one) }).gate().reinvites({ body: sdp(one, { direction: 'sendonly', version: 2 }) }).acks().gate();
  const caller = await scene.start('caller', holds.reinvites({ body: sdp(one, { version: 3 }) }).acks().gate().leaves());
  await speak([caller, one], [called, other]);
  await talk(one, other);
  await caller.go();
  await called.atGate();
  await called.go();
  await caller.go();
  await caller.atGate();
  await talk(one, other);
  await caller.go();
  return called;
}

const answersHold = (dialogue, voice) => dialogue.takes('INVITE').answers('200 OK', { body: sdp(voice, { direction: 'recvonly', version: 8 }), retransmitted: true }).takes('ACK');

/** How long after the first 491 it said the exchange asked again. */
async function pause_ms(phone) {
  const [refused] = await phone.times(true, /^SIP\/2.0 491/);
  const [again] = (await phone.times(false, HELD)).filter((at) => at > refused);
  return again - refused;
}

/** SIPp calls an extension that answers by itself, and is told of the hold of who is called then. */
async function glareOfCaller(scene) {
  const [one, other] = [await scene.voice(450), await scene.voice(700)];
  const own = sdp(one, { version: 5 });
  const dialogue = new Caller('called').calls({ body: sdp(one) });
  // The re-INVITE of the exchange is open: its own is refused, and it refuses that of the exchange.
  dialogue.takes('INVITE', { keep: 'theirs' }).asks('INVITE', { body: own }).expects(491).acksRefusal();
  dialogue.answersKept('theirs', '491 Request Pending', { retransmitted: true }).takes('ACK');
  answersHold(dialogue, one).gate();
  dialogue.takes('INVITE').answers('200 OK', { body: sdp(one, { version: 9 }), retransmitted: true }).takes('ACK');
  const caller = await scene.start('caller', dialogue.gate().leaves());
  const holds = picksUp(other).gate().reinvites({ body: sdp(other, { direction: 'sendonly', version: 2 }) }).acks().gate();
  const called = await scene.start('called', holds.reinvites({ body: sdp(other, { version: 3 }) }).acks().isLeft());
  await speak([caller, one], [called, other]);
  await talk(one, other);
  await called.go();
  await caller.atGate();
  const pause = await pause_ms(caller);
  assert.ok(pause < 2_300, `who has not made the Call-ID waits up to 2 s, and it was ${pause} ms`);
  await caller.go();
  await called.go();
  await caller.atGate();
  await talk(one, other);
  await caller.go();
}

export const CHANGES = {
  'a re-INVITE moves the sound to another address': {
    phones: PAIR,
    play: (scene) => moves(scene, (dialogue, moved) => dialogue.reinvites({ body: sdp(moved, { version: 2 }) }).acks()),
  },
  'an UPDATE moves the sound to another address': {
    phones: PAIR,
    play: (scene) => moves(scene, (dialogue, moved) => dialogue.asks('UPDATE', { body: sdp(moved, { version: 2 }) }).expects(200)),
  },
  'a re-INVITE without offer is offered to, and its ACK moves the sound': {
    phones: PAIR,
    play: (scene) => moves(scene, (dialogue, moved) => dialogue.reinvites().acks({ body: sdp(moved, { version: 2 }) })),
  },
  'a re-INVITE changes the codec': {
    phones: { caller: { endpoint: 'allow=alaw' }, called: {} },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const called = await scene.start('called', picksUp(other).isLeft());
      const dialogue = new Caller('called').calls({ body: sdp(one) }).gate().reinvites({ body: sdp(one, { version: 2, formats: '8' }) }).acks();
      const caller = await scene.start('caller', dialogue.gate().leaves());
      await speak([caller, one], [called, other]);
      await talk(one, other);
      assert.deepEqual(one.types(), [0]);
      await caller.go();
      await caller.atGate();
      await speak([caller, one, PCMA]);
      await talk(one, other);
      assert.deepEqual(one.types(), [8]);
      await caller.go();
    },
  },
  'a hold by re-INVITE, and by UPDATE, is heard as music': {
    phones: PAIR,
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const called = await scene.start('called', picksUp(other).isLeft());
      const dialogue = new Caller('called').calls({ body: sdp(one) });
      dialogue.gate().reinvites({ body: sdp(one, { direction: 'sendonly', version: 2 }) }).acks();
      dialogue.gate().reinvites({ body: sdp(one, { version: 3 }) }).acks();
      dialogue.gate().asks('UPDATE', { body: sdp(one, { direction: 'inactive', version: 4 }) }).expects(200);
      dialogue.gate().asks('UPDATE', { body: sdp(one, { version: 5 }) }).expects(200);
      // As phones of old said it (RFC 2543).
      dialogue.gate().reinvites({ body: sdp(one, { version: 6, address: '0.0.0.0' }) }).acks();
      dialogue.gate().reinvites({ body: sdp(one, { version: 7 }) }).acks();
      const caller = await scene.start('caller', dialogue.gate().leaves());
      await speak([caller, one], [called, other]);
      await talk(one, other);
      for (let turn = 0; turn < 3; turn += 1) {
        await caller.go();
        await caller.atGate();
        await other.hearsOther(one.tone_hz);
        await one.hearsNothing();
        await caller.go();
        await caller.atGate();
        await talk(one, other);
      }
      await caller.go();
    },
  },
  'an INVITE without offer is offered to, and answers in its ACK': {
    phones: PAIR,
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const called = await scene.start('called', picksUp(other).isLeft());
      const caller = await scene.start('caller', new Caller('called').invites().waits().expects(200).acks({ body: sdp(one) }).gate().leaves());
      await speak([caller, one], [called, other]);
      await talk(one, other);
      await caller.go();
    },
  },
  'an INVITE without offer whose ACK brings no answer is ended': {
    phones: PAIR,
    async play(scene) {
      await scene.start('called', picksUp(await scene.voice(700)).isLeft());
      await scene.start('caller', new Caller('called').invites().waits().expects(200).acks().isLeft());
    },
  },
  'PRACK both ways: sound before the answer, and after it': {
    phones: { caller: { endpoint: '100rel=yes' }, called: { endpoint: '100rel=required' } },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const rings = new Callee().isCalled({ has: { Require: '100rel' } }).replies('183 Session Progress', { body: sdp(other), more: ['Require: 100rel', 'RSeq: 7'] });
      const answers = rings.takes('PRACK', { has: { RAck: '7 1 INVITE' } }).answers('200 OK').gate().replies('200 OK').takes('ACK');
      const called = await scene.start('called', answers.isLeft());
      const dialogue = new Caller('called').invites({ body: sdp(one), more: ['Require: 100rel'] }).expects(100, { optional: true }).pracks(183);
      const caller = await scene.start('caller', dialogue.expects(200).acks().gate().leaves());
      await speak([caller, one], [called, other]);
      await talk(one, other);
      await called.go();
      await caller.atGate();
      await talk(one, other);
      await caller.go();
    },
  },
  'a phone that must acknowledge what is provisional, and cannot, is told so': {
    phones: { caller: { endpoint: '100rel=required' }, called: {} },
    async play(scene) {
      const dialogue = new Caller('called').invites({ body: sdp(await scene.voice(450)) }).expects(100, { optional: true });
      await scene.start('caller', dialogue.expects(421, { has: { Require: '100rel' } }).acksRefusal());
    },
  },
  'UPDATE before the answer moves the sound of the caller, and of the called': {
    phones: { caller: { endpoint: '100rel=yes' }, called: {} },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const [moved, far] = [await scene.voice(950, scene.ip('caller')), await scene.voice(1_200, scene.ip('called'))];
      const rings = new Callee().isCalled().replies('183 Session Progress', { body: sdp(other), more: ['Require: 100rel', 'RSeq: 1'] }).takes('PRACK').answers('200 OK');
      const updates = rings.gate().asks('UPDATE', { body: sdp(far, { version: 2 }) }).expects(200);
      const called = await scene.start('called', updates.gate().replies('200 OK').takes('ACK').isLeft());
      const dialogue = new Caller('called').invites({ body: sdp(one), more: ['Require: 100rel'] }).expects(100, { optional: true }).pracks(183);
      const caller = await scene.start('caller', dialogue.gate().asks('UPDATE', { body: sdp(moved, { version: 2 }) }).expects(200).gate().expects(200).acks().gate().leaves());
      await speak([caller, one], [called, other]);
      await talk(one, other);
      await caller.go();
      await caller.atGate();
      await hasMoved(caller, one, moved, other);
      await called.go();
      await called.atGate();
      await hasMoved(called, other, far, moved);
      await caller.go();
      await called.go();
      await caller.atGate();
      await talk(moved, far);
      await caller.go();
    },
  },
  'glare of two re-INVITEs where the exchange called: it waits 2.1 to 4 s': {
    phones: { caller: {}, called: TOLD },
    async play(scene) {
      const called = await isTold(scene, (dialogue, voice) => {
        dialogue.takes('INVITE', { keep: 'theirs' }).asks('INVITE', { body: sdp(voice, { version: 2 }) }).expects(491).acksRefusal();
        dialogue.answersKept('theirs', '491 Request Pending', { retransmitted: true }).takes('ACK');
        return answersHold(dialogue, voice);
      });
      const pause = await pause_ms(called);
      assert.ok(pause > 2_000 && pause < 4_400, `who has made the Call-ID waits 2.1 to 4 s, and it was ${pause} ms`);
    },
  },
  'glare of two re-INVITEs where SIPp called: the exchange waits up to 2 s': {
    phones: { caller: TOLD, called: {} },
    play: glareOfCaller,
  },
  'an UPDATE with an offer while that of the exchange is open is refused with 491': {
    phones: { caller: {}, called: TOLD },
    play: (scene) =>
      isTold(scene, (dialogue, voice) => {
        dialogue.takes('INVITE', { keep: 'theirs' }).asks('UPDATE', { body: sdp(voice, { version: 2 }) }).expects(491);
        return dialogue.answersKept('theirs', '200 OK', { body: sdp(voice, { direction: 'recvonly', version: 3 }), retransmitted: true }).takes('ACK');
      }),
  },
  'a re-INVITE of the exchange that is refused with 500 comes again when Retry-After says': {
    phones: { caller: {}, called: TOLD },
    async play(scene) {
      const called = await isTold(scene, (dialogue, voice) => {
        dialogue.takes('INVITE').answers('500 Server Internal Error', { more: ['Retry-After: 1'], retransmitted: true }).takes('ACK');
        return answersHold(dialogue, voice);
      });
      const [refused] = await called.times(true, /^SIP\/2.0 500/);
      const again = (await called.times(false, HELD)).at(-1);
      assert.ok(again - refused > 900 && again - refused < 2_500, `it came after ${again - refused} ms`);
    },
  },
  'a hold that the called refuses does not end the call': {
    phones: { caller: {}, called: TOLD },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const refuses = picksUp(other).takes('INVITE').answers('488 Not Acceptable Here', { retransmitted: true }).takes('ACK').gate();
      refuses.takes('INVITE', { optional: true, next: 'told' }).isLeft().ends().label('told').answers('200 OK', { body: sdp(other, { version: 9 }), retransmitted: true }).takes('ACK').isLeft();
      const called = await scene.start('called', refuses);
      const holds = new Caller('called').calls({ body: sdp(one) }).gate().reinvites({ body: sdp(one, { direction: 'sendonly', version: 2 }) }).acks().gate();
      const caller = await scene.start('caller', holds.reinvites({ body: sdp(one, { version: 3 }) }).acks().gate().leaves());
      await speak([caller, one], [called, other]);
      await talk(one, other);
      await caller.go();
      await called.go();
      await caller.go();
      await caller.atGate();
      await talk(one, other);
      await caller.go();
    },
  },
  'a re-INVITE with a fax (T.38) is refused, and the call goes on': {
    phones: PAIR,
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const called = await scene.start('called', picksUp(other).isLeft());
      const fax = sdp(one, { version: 2 });
      fax.lines = fax.lines.map((line) => line.replace(/^m=.*/, `m=image ${one.port} udptl t38`));
      const dialogue = new Caller('called').calls({ body: sdp(one) }).gate().asks('INVITE', { body: fax }).expects(100, { optional: true }).expects(488).acksRefusal();
      const caller = await scene.start('caller', dialogue.gate().leaves());
      await speak([caller, one], [called, other]);
      await talk(one, other);
      await caller.go();
      await caller.atGate();
      await talk(one, other);
      await caller.go();
    },
  },
  'streams of other kinds are refused beside the sound': {
    phones: PAIR,
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const called = await scene.start('called', picksUp(other).isLeft());
      const body = sdp(one);
      body.lines.push('m=video 4000 RTP/AVP 96', 'a=rtpmap:96 H264/90000', 'm=image 4002 udptl t38', 'm=application 4004 UDP/BFCP *');
      const caller = await scene.start('caller', new Caller('called').calls({ body }).gate().leaves());
      const answer = await caller.awaits(/^SIP\/2.0 200[\s\S]*^m=/m);
      const lines = [...answer.matchAll(/^m=(\w+) (\d+)/gm)].map(([, kind, port]) => [kind, port === '0']);
      assert.deepEqual(lines, [['audio', false], ['video', true], ['image', true], ['application', true]]);
      await speak([caller, one], [called, other]);
      await talk(one, other);
      await caller.go();
    },
  },
  'a sign of life within the call is answered (OPTIONS, INFO and UPDATE without body)': {
    phones: PAIR,
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const answers = picksUp(other).asks('OPTIONS').expects(200).asks('INFO').expects(200).asks('UPDATE').expects(200);
      const called = await scene.start('called', answers.isLeft());
      const dialogue = new Caller('called').calls({ body: sdp(one) }).asks('OPTIONS').expects(200).asks('INFO').expects(200).asks('UPDATE').expects(200);
      const caller = await scene.start('caller', dialogue.gate().leaves());
      await speak([caller, one], [called, other]);
      await talk(one, other);
      await caller.go();
    },
  },
  'a re-INVITE before the answer is refused, and the call goes on': {
    phones: PAIR,
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const called = await scene.start('called', new Callee().isCalled().replies('180 Ringing').gate().replies('200 OK', { body: sdp(other) }).takes('ACK').isLeft());
      const dialogue = new Caller('called').invites({ body: sdp(one) }).expects(100, { optional: true }).expects(180);
      dialogue.asks('INVITE', { body: sdp(one, { version: 2 }) }).expects(100, { optional: true }).expects(500, { has: { 'Retry-After': '[0-9]' } }).acksRefusal();
      const caller = await scene.start('caller', dialogue.firstAgain().expects(200).acks().gate().leaves());
      await caller.awaits(/^SIP\/2.0 500/);
      await called.go();
      await caller.atGate();
      await speak([caller, one], [called, other]);
      await talk(one, other);
      await caller.go();
    },
  },
  'a BYE before the answer ends the call': {
    phones: PAIR,
    async play(scene) {
      await scene.start('called', new Callee().isCalled().replies('180 Ringing').isCancelled());
      const dialogue = new Caller('called').invites({ body: sdp(await scene.voice(450)) }).expects(100, { optional: true }).expects(180);
      // RFC 3261 §15.1.2: the INVITE is answered 487.
      await scene.start('caller', dialogue.asks('BYE').expects(200).expects(487).acksRefusal());
    },
  },
  'what nobody can understand is refused with its reason': {
    phones: { caller: {} },
    async play(scene) {
      const body = sdp(await scene.voice(450));
      const refused = (dialogue, status, has) => dialogue.expects(100, { optional: true }).expects(status, { has }).acksRefusal();
      const rows = [
        [{ body, more: ['Require: magic'] }, 420, { Unsupported: 'magic' }],
        [{ body: { type: 'text/html', lines: ['<p>'] } }, 415, { Accept: 'application/sdp' }],
        [{ body: { type: 'application/sdp', lines: ['v=0', 'nonsense'] } }, 400, {}],
        [{ body: sdp({ ip: '127.0.0.1', port: 4000 }, { formats: '18' }) }, 488, { Warning: 'codec' }],
      ];
      const dialogue = new Caller('caller');
      for (const [what, status, has] of rows) refused(dialogue.invites(what), status, has);
      await scene.start('caller', dialogue);
    },
  },
  'who hangs up while a re-INVITE of the exchange is open ends the call': {
    phones: { caller: {}, called: TOLD },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const dialogue = picksUp(other).takes('INVITE', { keep: 'theirs' }).asks('BYE').expects(200);
      await scene.start('called', dialogue.answersKept('theirs', '487 Request Terminated', { retransmitted: true }).takes('ACK'));
      const holds = new Caller('called').calls({ body: sdp(one) }).reinvites({ body: sdp(one, { direction: 'sendonly', version: 2 }) }).acks();
      await scene.start('caller', holds.isLeft());
    },
  },
};
