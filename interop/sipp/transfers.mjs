// Transfers by REFER, blind and attended, and Replaces.
import assert from 'node:assert/strict';

import { Callee, Caller, sdp } from '../lib/dialogue.mjs';
import { until } from '../lib/server.mjs';
import { talk } from '../lib/voice.mjs';

const THREE = { alice: {}, bob: {}, carol: {} };
const PATIENCE_MS = 10_000;

const referTo = (target, ...more) => ({ more: [`Refer-To: <${target}>`, ...more] });
const to = (number) => `sip:${number}@[remote_ip]:[remote_port]`;
const picksUp = (voice) => new Callee().picksUp({ body: sdp(voice) });

/** Two that hear each other. */
async function speak(...pairs) {
  for (const [phone, voice] of pairs) voice.say(await phone.place());
}

/** What who transferred heard of it last: that it was done, and that no more is told. Then it was hung up. */
async function wasTold(phone, cseq) {
  const told = () => phone.got(/^NOTIFY[\s\S]*^Subscription-State: *terminated/m);
  await until('the last NOTIFY', async () => (await told()).length > 0, PATIENCE_MS);
  const [last] = await told();
  assert.match(last, new RegExp(`^Event: *refer;id=${cseq}\\r?$`, 'm'));
  assert.match(last, /^Content-Type: *message\/sipfrag/m);
  assert.match(last, /\r?\n\r?\nSIP\/2\.0 200 /);
  await phone.awaits(/^BYE/);
}

/** Alice calls Bob; `who` sends the other one on to Carol. */
async function blind(scene, who) {
  const [one, two, three] = [await scene.voice(450), await scene.voice(700), await scene.voice(950)];
  const carol = await scene.start('carol', picksUp(three).gate().leaves());
  const sendsOn = (dialogue) => dialogue.gate().refers(referTo(to('carol')));
  const answers = picksUp(two);
  const calls = new Caller('bob').calls({ body: sdp(one) });
  const bob = await scene.start('bob', who === 'bob' ? sendsOn(answers) : answers.isLeft());
  const alice = await scene.start('alice', who === 'alice' ? sendsOn(calls) : calls.isLeft());
  await speak([alice, one], [bob, two]);
  await talk(one, two);
  const [transferer, stays, voice] = who === 'bob' ? [bob, alice, one] : [alice, bob, two];
  const refer = who === 'bob' ? 1 : 2;
  await transferer.go();
  await speak([carol, three]);
  await talk(voice, three);
  await wasTold(transferer, refer);
  await transferer.go();
  // Whoever leaves ends it for both.
  await carol.go();
  await stays.ended;
}

/** The words of Replaces for the call that this phone began. */
async function replaces(phone, answer = /^SIP\/2.0 200[\s\S]*CSeq: *1 INVITE/m) {
  const ok = await phone.awaits(answer);
  const tag = (header) => new RegExp(`^${header}:.*;tag=([^;\\s]+)`, 'm').exec(ok)[1];
  const callId = /^Call-ID: *(\S+)/m.exec(ok)[1];
  return encodeURIComponent(`${callId};to-tag=${tag('To')};from-tag=${tag('From')}`);
}

export const TRANSFERS = {
  'the called sends the caller on, blind': { phones: THREE, play: (scene) => blind(scene, 'bob') },
  'the caller sends the called on, blind': { phones: THREE, play: (scene) => blind(scene, 'alice') },
  'two calls of one phone become one (REFER with Replaces)': {
    phones: THREE,
    async play(scene) {
      const [one, two, three] = [await scene.voice(450), await scene.voice(700), await scene.voice(950)];
      const bob = await scene.start('bob', picksUp(two).gate().leaves());
      const carol = await scene.start('carol', picksUp(three).isLeft());
      // Her second call, from another port of the same phone.
      const consults = await scene.start('alice', new Caller('carol').calls({ body: sdp(one) }).isLeft(), { port: scene.stage.port + 1 });
      await speak([consults, one], [carol, three]);
      await talk(one, three);
      const first = await scene.voice(500);
      const dialogue = new Caller('bob').calls({ body: sdp(first) }).gate('replaces');
      const alice = await scene.start('alice', dialogue.refers(referTo(`${to('carol')}?Replaces=[$replaces]`)));
      await speak([alice, first], [bob, two]);
      await talk(first, two);
      await alice.go({ replaces: await replaces(consults) });
      await talk(two, three);
      await wasTold(alice, 2);
      await consults.ended;
      await alice.go();
      await bob.go();
    },
  },
  'who wants to hear nothing of its transfer hears nothing (Refer-Sub: false)': {
    phones: THREE,
    async play(scene) {
      const [one, two, three] = [await scene.voice(450), await scene.voice(700), await scene.voice(950)];
      const carol = await scene.start('carol', picksUp(three).gate().leaves());
      const dialogue = new Caller('bob').calls({ body: sdp(one) }).asks('REFER', referTo(to('carol'), 'Refer-Sub: false'));
      const bob = await scene.start('bob', picksUp(two).isLeft());
      // A NOTIFY would end its dialogue as a failure.
      await scene.start('alice', dialogue.expects(202, { has: { 'Refer-Sub': 'false' } }).isLeft());
      await speak([carol, three], [bob, two]);
      await talk(two, three);
      await carol.go();
    },
  },
  'what cannot be transferred is refused, and the call goes on': {
    phones: THREE,
    async play(scene) {
      const [one, two] = [await scene.voice(450), await scene.voice(700)];
      const bob = await scene.start('bob', picksUp(two).isLeft());
      const gone = encodeURIComponent('nobody@127.0.0.1;to-tag=a;from-tag=b');
      const dialogue = new Caller('bob').calls({ body: sdp(one) });
      dialogue.asks('REFER', referTo(to('nowhere'))).expects(404);
      dialogue.asks('REFER', referTo(`${to('carol')}?Replaces=${gone}`)).expects(481);
      dialogue.asks('REFER', referTo('tel:+4930')).expects(416);
      dialogue.asks('REFER').expects(400);
      const alice = await scene.start('alice', dialogue.gate().leaves());
      await speak([alice, one], [bob, two]);
      await talk(one, two);
      await alice.go();
    },
  },
  'who may not transfer is refused, and the call goes on (allow_transfer=no)': {
    phones: { ...THREE, alice: { endpoint: 'allow_transfer=no' } },
    async play(scene) {
      const [one, two] = [await scene.voice(450), await scene.voice(700)];
      const bob = await scene.start('bob', picksUp(two).isLeft());
      const alice = await scene.start('alice', new Caller('bob').calls({ body: sdp(one) }).asks('REFER', referTo(to('carol'))).expects(603).gate().leaves());
      await speak([alice, one], [bob, two]);
      await talk(one, two);
      await alice.go();
    },
  },
  'a REFER of no call is refused': {
    phones: { alice: {} },
    play: (scene) => scene.start('alice', new Caller('bob').asksOutside('REFER', referTo(to('carol'))).expects(501)),
  },
  'a REFER of a call that is gone is refused': {
    phones: { alice: {} },
    play: (scene) => scene.start('alice', new Caller('bob').asksOutside('REFER', { ...referTo(to('carol')), to: '<sip:bob@[remote_ip]>;tag=gone' }).expects(481)),
  },
  'an INVITE takes the place of a party (Replaces), and not of one that is gone': {
    phones: THREE,
    async play(scene) {
      const [one, two, three] = [await scene.voice(450), await scene.voice(700), await scene.voice(950)];
      const bob = await scene.start('bob', picksUp(two).gate().leaves());
      const alice = await scene.start('alice', new Caller('bob').calls({ body: sdp(one) }).isLeft());
      await speak([alice, one], [bob, two]);
      await talk(one, two);
      const body = sdp(three);
      const take = (words) => ({ body, more: ['Require: replaces', `Replaces: ${words}`] });
      const dialogue = new Caller('bob').invites(take('nobody@127.0.0.1;to-tag=a;from-tag=b')).expects(100, { optional: true }).expects(481).acksRefusal();
      const live = decodeURIComponent(await replaces(alice));
      dialogue.invites(take(`${live};early-only`)).expects(100, { optional: true }).expects(486).acksRefusal();
      const carol = await scene.start('carol', dialogue.invites(take(live)).waits().expects(200).acks().isLeft());
      await speak([carol, three]);
      await talk(two, three);
      await alice.ended;
      await bob.go();
    },
  },
  'a call that still rings is taken over by who is sent there: it hears the ringing, and talks to who answers': {
    phones: THREE,
    async play(scene) {
      const [two, three, first] = [await scene.voice(700), await scene.voice(950), await scene.voice(500)];
      const bob = await scene.start('bob', picksUp(two).gate().leaves());
      const rings = new Callee().isCalled().replies('180 Ringing').gate().replies('200 OK', { body: sdp(three) }).takes('ACK').isLeft();
      const carol = await scene.start('carol', rings);
      const dialogue = new Caller('carol').invites({ body: sdp(first) }).expects(100, { optional: true }).expects(180).expects(487).acksRefusal();
      const consults = await scene.start('alice', dialogue, { port: scene.stage.port + 1 });
      await consults.awaits(/^SIP\/2.0 180/);
      const calls = new Caller('bob').calls({ body: sdp(first) }).gate('replaces');
      const alice = await scene.start('alice', calls.refers(referTo(`${to('carol')}?Replaces=[$replaces]`)));
      await speak([alice, first], [bob, two]);
      await talk(first, two);
      await alice.go({ replaces: await replaces(consults, /^SIP\/2.0 180/) });
      await consults.ended;
      await wasTold(alice, 2);
      await alice.go();
      assert.equal(carol.isOver, false);
      await carol.go();
      await speak([carol, three]);
      await talk(two, three);
      await bob.go();
      await carol.ended;
    },
  },
};
