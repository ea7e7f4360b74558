// Session timers (RFC 4028), both roles. Those that take a minute stand first.
import assert from 'node:assert/strict';

import { Callee, Caller, sdp } from '../lib/dialogue.mjs';
import { wait } from '../lib/server.mjs';
import { talk } from '../lib/voice.mjs';

const PAIR = { caller: {}, called: {} };
const asksFor = (expires) => ({ more: ['Supported: timer', 'Allow: INVITE, ACK, BYE, UPDATE', `Session-Expires: ${expires}`] });

/** In a call with a timer of 90 s the exchange hangs up a third of it before the end, or 32 s: so after 60 s. */
const EXPIRES_MS = 60_000;
const REFRESH_MS = 45_000;
/** 64*T1 (RFC 3261 §13.3.1.4). */
const UNACKED_MS = 32_000;
/** What a loaded machine adds. */
const LATE_MS = 6_000;

export const SLOW = {
  'a caller that refreshes no more is hung up, and so is the other': {
    phones: PAIR,
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      await scene.start('called', new Callee().picksUp({ body: sdp(other) }).isLeft());
      const granted = { 'Session-Expires': '90 ?; ?refresher=uac', Require: 'timer' };
      const dialogue = new Caller('called').calls({ body: sdp(one), ...asksFor('90;refresher=uac'), has: granted }).pause(1_000);
      dialogue.asks('UPDATE', asksFor('90;refresher=uac')).expects(200, { has: granted }).pause(1_000);
      dialogue.reinvites({ body: sdp(one, { version: 1 }), ...asksFor('90;refresher=uac'), has: granted }).acks().gate();
      const caller = await scene.start('caller', dialogue.isLeft());
      await caller.go();
      const refreshed = performance.now();
      await caller.ended;
      const lasted_ms = performance.now() - refreshed;
      assert.ok(lasted_ms > EXPIRES_MS - LATE_MS && lasted_ms < EXPIRES_MS + LATE_MS, `it was hung up after ${lasted_ms} ms`);
    },
  },
  'a caller that never acknowledges is hung up, and so is the other': {
    phones: PAIR,
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      await scene.start('called', new Callee().picksUp({ body: sdp(other) }).isLeft());
      const began = performance.now();
      // SIPp takes the copies of the 200 for what they are.
      const caller = await scene.start('caller', new Caller('called').invites({ body: sdp(one) }).waits().expects(200).isLeft());
      await caller.ended;
      const lasted_ms = performance.now() - began;
      assert.ok(lasted_ms > UNACKED_MS - LATE_MS && lasted_ms < UNACKED_MS + LATE_MS, `it was hung up after ${lasted_ms} ms`);
      const copies = await caller.got(/^SIP\/2.0 200/);
      assert.ok(copies.length > 8, `the 200 came ${copies.length} times`);
    },
  },
  'the exchange refreshes by re-INVITE with a phone that knows no UPDATE': {
    phones: { caller: {}, called: { endpoint: 'timers=always\ntimers_sess_expires=90' } },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const timer = ['Allow: INVITE, ACK, CANCEL, BYE', 'Require: timer', 'Session-Expires: 90;refresher=uac'];
      const dialogue = new Callee().picksUp({ body: sdp(other), more: timer, has: { 'Session-Expires': '90' } });
      dialogue.takes('INVITE', { has: { 'Session-Expires': '90 ?; ?refresher=uac' } }).answers('200 OK', { body: sdp(other), more: timer, retransmitted: true }).takes('ACK').gate();
      const called = await scene.start('called', dialogue.isLeft());
      const caller = await scene.start('caller', new Caller('called').calls({ body: sdp(one) }).gate().leaves());
      one.say(await caller.place());
      other.say(await called.place());
      await talk(one, other);
      await wait(REFRESH_MS - LATE_MS);
      await called.go();
      await talk(one, other);
      await caller.go();
    },
  },
};

export const TIMERS = {
  'a timer that is too short is refused with 422, and the next one taken': {
    phones: PAIR,
    async play(scene) {
      const voice = await scene.voice(450);
      await scene.start('called', new Callee().picksUp({ body: sdp(voice) }).isLeft());
      const dialogue = new Caller('called').invites({ body: sdp(voice), ...asksFor('60;refresher=uac') }).expects(100, { optional: true });
      dialogue.expects(422, { has: { 'Min-SE': '90' } }).acksRefusal();
      await scene.start('caller', dialogue.calls({ body: sdp(voice), ...asksFor('90;refresher=uac'), has: { 'Session-Expires': '90' } }).leaves());
    },
  },
  'a phone that wants a longer timer (422) is called again with it': {
    phones: PAIR,
    async play(scene) {
      const voice = await scene.voice(450);
      const dialogue = new Callee().isCalled({ has: { 'Session-Expires': '1800', 'Min-SE': '90' } }).replies('422 Session Interval Too Small', { more: ['Min-SE: 2000'] }).takes('ACK');
      dialogue.picksUp({ body: sdp(voice), has: { 'Session-Expires': '2000', 'Min-SE': '2000' } });
      await scene.start('called', dialogue.isLeft());
      await scene.start('caller', new Caller('called').calls({ body: sdp(voice) }).leaves());
    },
  },
  'a timer is not promised where it is switched off (timers=no)': {
    phones: { caller: { endpoint: 'timers=no' }, called: {} },
    async play(scene) {
      const voice = await scene.voice(450);
      await scene.start('called', new Callee().picksUp({ body: sdp(voice) }).isLeft());
      const caller = await scene.start('caller', new Caller('called').calls({ body: sdp(voice), ...asksFor('90;refresher=uac') }).leaves());
      await caller.ended;
      assert.deepEqual(await caller.got(/^SIP\/2.0 200[\s\S]*^Session-Expires:/m), []);
    },
  },
  'a phone without timers is refused where they are required': {
    phones: { caller: { endpoint: 'timers=required' }, called: {} },
    async play(scene) {
      const dialogue = new Caller('called').invites({ body: sdp(await scene.voice(450)) }).expects(100, { optional: true });
      await scene.start('caller', dialogue.expects(421, { has: { Require: 'timer' } }).acksRefusal());
    },
  },
};
