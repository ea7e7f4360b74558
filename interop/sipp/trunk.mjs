// Trunks: is the provider there, where a call goes when it is not, and registrations with what registrars say.
import assert from 'node:assert/strict';

import { challenge, mustProve } from '../lib/digest.mjs';
import { Callee, Caller, Dialogue, sdp } from '../lib/dialogue.mjs';
import { until } from '../lib/server.mjs';
import { talk } from '../lib/voice.mjs';

const PATIENCE_MS = 10_000;

/** Asked every second whether it is there. */
const ASKED = 'qualify_frequency=1\nqualify_timeout=0.5\n';
const answersOptions = (status) => new Dialogue().takes('OPTIONS').answers(status);

const isShown = (scene, role, status) => until(`${role} is ${status}`, async () => new RegExp(`${scene.name(role)}/\\S+ +\\S+ +${status}`).test(await scene.ask('pjsip show contacts')), PATIENCE_MS);

/** A registration of the exchange at SIPp. */
const registration = (role, more) => `
[<${role}>]
type=registration
server_uri=sip:{${role}}:{port}
client_uri=sip:4930@{${role}}:{port}
contact_user=in
outbound_auth=<${role}>
max_random_initial_delay=0
retry_interval=1
max_retries=1000
expiration=60
endpoint=<${role}>
${more}
[<${role}>]
type=auth
username=4930
password=secret
`;

const stands = (scene, role, standing) => until(`the registration is ${standing}`, async () => new RegExp(`${scene.name(role)}/sip:\\S+ .*${standing}`).test(await scene.ask('pjsip show registrations')), PATIENCE_MS);

/** The channel of a phone, as the console calls it. */
const channelOf = async (scene, role) => new RegExp(`PJSIP/${scene.name(role)}-[0-9a-f]+`).exec(await scene.ask('core show channels'))[0];

const CONTACT = /^Contact: *<([^>]+)>/m;

export const TRUNK = {
  'a provider is asked whether it is there, is lost, and comes back': {
    phones: { caller: {}, provider: { aor: ASKED } },
    async play(scene) {
      const voice = await scene.voice(450);
      await isShown(scene, 'provider', 'Unavail');
      const there = await scene.start('provider', answersOptions('200 OK'), { calls: 3 });
      await isShown(scene, 'provider', 'Avail');
      await there.ended;
      await isShown(scene, 'provider', 'Unavail');
      // Who is not there is not called.
      const refused = new Caller('provider').invites({ body: sdp(voice) }).expects(100, { optional: true }).expects(503).acksRefusal();
      await (await scene.start('caller', refused)).ended;
      // Any answer is one, 503 too, as in Asterisk.
      await scene.start('provider', answersOptions('503 Service Unavailable'), { calls: 3 });
      await isShown(scene, 'provider', 'Avail');
    },
  },
  'a provider whose 503 is no answer (qualify_2xx_only)': {
    phones: { provider: { aor: `${ASKED}qualify_2xx_only=yes\n` } },
    async play(scene) {
      const ill = await scene.start('provider', answersOptions('503 Service Unavailable'), { calls: 3 });
      await ill.awaits(/^OPTIONS/);
      await ill.ended;
      await isShown(scene, 'provider', 'Unavail');
      await scene.start('provider', answersOptions('200 OK'), { calls: 3 });
      await isShown(scene, 'provider', 'Avail');
    },
  },
  'a call goes to the next provider after a 503, and after silence': {
    phones: { caller: {}, first: {}, mute: {}, second: {} },
    plan: ['exten => _0X.,1,Dial(PJSIP/${EXTEN:1}@<first>,20)', ' same => n,Dial(PJSIP/${EXTEN:1}@<mute>,1)', ' same => n,Dial(PJSIP/${EXTEN:1}@<second>,20)'],
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const mute = await scene.voice(900, scene.ip('mute'), scene.stage.port);
      await scene.start('first', new Callee().refuses('503 Service Unavailable', { more: ['Retry-After: 30'] }));
      const second = await scene.start('second', new Callee().picksUp({ body: sdp(other), has: { To: 'sip:4930@' } }).isLeft());
      const caller = await scene.start('caller', new Caller('04930').calls({ body: sdp(one) }).gate().leaves());
      one.say(await caller.place());
      other.say(await second.place());
      await talk(one, other);
      assert.ok(mute.packets.length > 0, 'the mute one was called too');
      await caller.go();
    },
  },
  'a registration: 401, 423, 503 with Retry-After, and a call that comes in by it': {
    phones: { registrar: { more: registration('registrar', 'line=yes'), identify: false }, called: {} },
    plan: ['exten => in,1,Dial(PJSIP/<called>,20)'],
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const dialogue = new Dialogue().takes('REGISTER').answers('401 Unauthorized', { more: [challenge('WWW-Authenticate', { nonce: 'registers' })] });
      dialogue.takes('REGISTER', { has: { Expires: '^ *60' } }).answers('423 Interval Too Brief', { more: ['Min-Expires: 900'] });
      dialogue.takes('REGISTER', { has: { Expires: '^ *900' } }).answers('503 Service Unavailable', { more: ['Retry-After: 2'] });
      dialogue.takes('REGISTER', { has: { Expires: '^ *900' }, contact: true }).answers('200 OK', { more: ['Contact: <[$contact]>;expires=900'] }).gate();
      dialogue.takes('REGISTER', { has: { Expires: '^ *0' } }).answers('200 OK');
      const registrar = await scene.start('registrar', dialogue);
      await stands(scene, 'registrar', 'Registered');
      const registers = await registrar.got(/^REGISTER/);
      mustProve(registers[1], 'Authorization', { user: '4930', password: 'secret', nonce: 'registers' });
      const asked = await registrar.times(false, /^REGISTER/);
      assert.ok(asked[3] - asked[2] > 1_800, `it waited ${asked[3] - asked[2]} ms instead of two seconds`);
      const contact = CONTACT.exec(registers[3])[1];
      assert.match(contact, /^sip:in@[^;]*;line=[0-9a-z]+/);
      // From where nobody is known, by the sign in the Contact alone.
      const called = await scene.start('called', new Callee().picksUp({ body: sdp(other) }).isLeft());
      const caller = await scene.start('registrar', new Caller('in', { uri: contact }).calls({ body: sdp(one) }).gate().leaves(), { port: scene.stage.port + 1 });
      one.say(await caller.place());
      other.say(await called.place());
      await talk(one, other);
      await caller.go();
      await registrar.go();
      await scene.ask('pjsip send unregister <registrar>');
      await registrar.ended;
      await stands(scene, 'registrar', 'Unregistered');
    },
  },
  'a registration that is forbidden (403) is not tried again': {
    phones: { registrar: { more: registration('registrar', ''), identify: false } },
    async play(scene) {
      const registrar = await scene.start('registrar', new Dialogue().takes('REGISTER').answers('403 Forbidden').pause(3_000));
      await registrar.ended;
      await stands(scene, 'registrar', 'Rejected');
      assert.equal((await registrar.got(/^REGISTER/)).length, 1);
    },
  },
  'a registration whose proof is not taken is given up': {
    phones: { registrar: { more: registration('registrar', ''), identify: false } },
    async play(scene) {
      const dialogue = new Dialogue();
      for (const nonce of ['first', 'second']) dialogue.takes('REGISTER').answers('401 Unauthorized', { more: [challenge('WWW-Authenticate', { nonce })] });
      const registrar = await scene.start('registrar', dialogue.pause(3_000));
      await registrar.ended;
      await stands(scene, 'registrar', 'Rejected');
      assert.equal((await registrar.got(/^REGISTER/)).length, 2);
    },
  },
  'a call goes to the next place of a provider (SRV) after a 503': {
    phones: { caller: {}, provider: { contacts: ['sip:{srv}'] }, first: {}, second: {} },
    places: ['first', 'second'],
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const first = await scene.start('first', new Callee().refuses('503 Service Unavailable'));
      const called = await scene.start('second', new Callee().picksUp({ body: sdp(other) }).isLeft());
      const caller = await scene.start('caller', new Caller('provider').calls({ body: sdp(one) }).gate().leaves());
      one.say(await caller.place());
      other.say(await called.place());
      await talk(one, other);
      await caller.go();
      const [refused, taken] = [(await first.got(/^INVITE/))[0], (await called.got(/^INVITE/))[0]];
      const header = (text, name) => new RegExp(`^${name}: *(.*)$`, 'm').exec(text)[1];
      // RFC 3263 §4.3: a new transaction with the same Call-ID.
      assert.equal(header(refused, 'Call-ID'), header(taken, 'Call-ID'));
      assert.notEqual(header(refused, 'Via'), header(taken, 'Via'));
    },
  },
  'a call goes to the next place of a provider (SRV) when the first says nothing': {
    phones: { caller: {}, provider: { contacts: ['sip:{srv}'] }, mute: {}, second: {} },
    places: ['mute', 'second'],
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const mute = await scene.voice(900, scene.ip('mute'), scene.stage.port);
      const called = await scene.start('second', new Callee().picksUp({ body: sdp(other) }).isLeft());
      const caller = await scene.start('caller', new Caller('provider').calls({ body: sdp(one) }).gate().leaves());
      one.say(await caller.place());
      other.say(await called.place());
      await talk(one, other);
      await caller.go();
      assert.ok(mute.packets.length > 1, `the first place was asked ${mute.packets.length} times`);
    },
  },
  'a registration goes to the next place of its registrar (SRV) after a 503': {
    phones: { provider: { more: registration('provider', '').replace('{provider}:{port}', '{srv}'), identify: false }, first: {}, second: {} },
    places: ['first', 'second'],
    async play(scene) {
      const first = await scene.start('first', new Dialogue().takes('REGISTER').answers('503 Service Unavailable'));
      const dialogue = new Dialogue().takes('REGISTER', { contact: true }).answers('200 OK', { more: ['Contact: <[$contact]>;expires=60'] });
      const second = await scene.start('second', dialogue.gate().takes('REGISTER', { has: { Expires: '^ *0' } }).answers('200 OK'));
      await first.ended;
      await stands(scene, 'provider', 'Registered');
      await second.go();
      await scene.ask('pjsip send unregister <provider>');
      await second.ended;
    },
  },
  'proxies that want to stay on the way do, in both directions (Record-Route)': {
    phones: { caller: {}, called: {} },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const [near, far] = ['<sip:127.20.0.1;lr;near>', '<sip:192.0.2.1;lr;far>'];
      // Whoever is called has the way in the order it is written, whoever calls from its end.
      const dialogue = new Callee().picksUp({ body: sdp(other), more: [`Record-Route: ${far}`, `Record-Route: ${near}`] });
      const called = await scene.start('called', dialogue.isLeft());
      const calls = new Caller('called').invites({ body: sdp(one), more: [`Record-Route: ${near}, ${far}`] }).waits();
      const caller = await scene.start('caller', calls.expects(200, { has: { 'Record-Route': 'near' } }).acks().gate().isLeft());
      await caller.go();
      await scene.ask(`channel request hangup ${await channelOf(scene, 'caller')}`);
      await Promise.all([called.ended, caller.ended]);
      for (const phone of [called, caller]) {
        const [bye] = await phone.got(/^BYE/);
        const routes = [...bye.matchAll(/^Route: *(.*)$/gm)].map(([, value]) => value.trim()).join(', ');
        assert.match(routes, /near.*far/, bye);
        assert.match(bye, /^BYE sip:sipp@127\.20\./);
      }
    },
  },
  'a phone behind NAT, whose Contact leads nowhere, is reached where it calls from': {
    phones: { caller: {}, called: {} },
    async play(scene) {
      const [one, other] = [await scene.voice(450), await scene.voice(700)];
      const called = await scene.start('called', new Callee().picksUp({ body: sdp(other) }).gate().leaves());
      const nowhere = 'Contact: <sip:phone@10.255.255.1:5060>';
      const caller = await scene.start('caller', new Caller('called').calls({ body: sdp(one), more: [nowhere] }).isLeft());
      one.say(await caller.place());
      other.say(await called.place());
      await talk(one, other);
      await called.go();
      await caller.ended;
      assert.match((await caller.got(/^BYE/))[0], /^BYE sip:phone@10\.255\.255\.1/);
    },
  },
};
