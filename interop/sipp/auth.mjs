// Who is who: SIPp is challenged, and challenges.
import assert from 'node:assert/strict';

import { challenge, mustProve, proof } from '../lib/digest.mjs';
import { Callee, Caller, sdp } from '../lib/dialogue.mjs';
import { talk } from '../lib/voice.mjs';

const LOGIN = (password) => `[authentication username=caller password=${password}]`;

/** A phone that is asked for a password. */
const locked = (role, options = '') => ({
  endpoint: `auth=<${role}>`,
  more: `[<${role}>]\ntype=auth\nauth_type=userpass\nusername=${role}\npassword=secret\n${options}\n`,
});

/** A provider that asks for one. */
const PROVIDER = {
  endpoint: 'outbound_auth=<provider>\nmoh_passthrough=yes',
  more: '[<provider>]\ntype=auth\nusername=4930\npassword=secret\n',
};
const CREDENTIALS = { user: '4930', password: 'secret' };

/** A call whose INVITE is challenged, and which is then as any other. */
async function proves(scene, algorithm, login, values = () => ({})) {
  const [one, other] = [await scene.voice(450), await scene.voice(700)];
  const called = await scene.start('called', new Callee().picksUp({ body: sdp(other) }).isLeft());
  const body = sdp(one);
  const dialogue = new Caller('called').invites({ body }).expects(100, { optional: true });
  dialogue.expects(401, { auth: algorithm === 'MD5', has: { 'WWW-Authenticate': `algorithm="?${algorithm}` } }).acksRefusal().gate('proof');
  dialogue.invites({ body, more: [login] }).waits().expects(200).acks().gate().leaves();
  const caller = await scene.start('caller', dialogue);
  const challenged = await caller.awaits(/^SIP\/2.0 401/);
  await caller.go(values(challenged));
  one.say(await caller.place());
  other.say(await called.place());
  await talk(one, other);
  await caller.go();
}

/** The provider asks `status`, `header` in each request, and each is proven. */
async function isAsked(scene, [status, header, proof, algorithm = 'MD5']) {
  const [one, other] = [await scene.voice(450), await scene.voice(700)];
  const nonces = ['one', 'two', 'three', 'four', 'five'].map((name) => `${name}${scene.number}`);
  const asks = (nonce, stale) => ({ more: [challenge(header, { nonce, algorithm, stale })] });
  const dialogue = new Callee().refuses(status, asks(nonces[0]));
  // The nonce was too old: one more try.
  dialogue.refuses(status, asks(nonces[1], true)).picksUp({ body: sdp(other) });
  // Held by the caller, it is told so by re-INVITE, and asks again.
  dialogue.takes('INVITE').answers(status, { ...asks(nonces[2]), retransmitted: true }).takes('ACK');
  dialogue.takes('INVITE').answers('200 OK', { body: sdp(other, { direction: 'recvonly', version: 2 }), retransmitted: true }).takes('ACK');
  dialogue.takes('INVITE').answers(status, { ...asks(nonces[3]), retransmitted: true }).takes('ACK');
  dialogue.takes('INVITE').answers('200 OK', { body: sdp(other, { version: 3 }), retransmitted: true }).takes('ACK');
  dialogue.takes('BYE').answers(status, asks(nonces[4])).isLeft();
  const called = await scene.start('provider', dialogue);
  const caller = await scene.start('caller', new Caller('provider').calls({ body: sdp(one) }).gate().reinvites({ body: sdp(one, { direction: 'sendonly', version: 2 }) }).acks().gate().reinvites({ body: sdp(one, { version: 3 }) }).acks().gate().leaves());
  one.say(await caller.place());
  other.say(await called.place());
  await talk(one, other);
  await caller.go();
  await called.awaits(/^INVITE[\s\S]*a=sendonly/m);
  await caller.go();
  await caller.atGate();
  await talk(one, other);
  await caller.go();
  await called.ended;
  for (const [index, nonce] of nonces.entries()) {
    const [request] = await called.got(new RegExp(`^${proof}: .*nonce="${nonce}"`, 'm'));
    assert.ok(request, `nothing was proven with nonce ${index + 1}`);
    mustProve(request, proof, { ...CREDENTIALS, nonce, algorithm });
  }
}

export const AUTH = {
  'INVITE is challenged, with MD5': {
    phones: { caller: locked('caller'), called: {} },
    play: (scene) => proves(scene, 'MD5', LOGIN('secret')),
  },
  'INVITE is challenged, with SHA-256': {
    phones: { caller: locked('caller', 'supported_algorithms_uas=SHA-256'), called: {} },
    // SIPp 3.6 knows MD5 alone: the test works it out.
    play: (scene) => proves(scene, 'SHA-256', 'Authorization: [$proof]', (challenged) => ({ proof: proof(/^WWW-Authenticate: *Digest (.*)$/m.exec(challenged)[1], { method: 'INVITE', uri: `sip:called@127.0.0.1:${scene.stage.server.ports.sip}`, user: 'caller', password: 'secret' }) })),
  },
  'a wrong password is asked for again, and counted once': {
    phones: { caller: locked('caller'), called: {} },
    async play(scene) {
      const body = sdp(await scene.voice(450));
      const dialogue = new Caller('called');
      dialogue.invites({ body }).expects(100, { optional: true }).expects(401, { auth: true }).acksRefusal();
      dialogue.invites({ body, more: [LOGIN('guessed')] }).expects(100, { optional: true }).expects(401).acksRefusal();
      const caller = await scene.start('caller', dialogue);
      await caller.ended;
      const [first, second] = (await caller.got(/^SIP\/2.0 401/)).map((text) => /nonce="([^"]+)"/.exec(text)[1]);
      assert.notEqual(first, second);
      const failures = scene.log.split('\n').filter((line) => line.includes('authentication failed') && line.includes(scene.ip('caller')));
      assert.equal(failures.length, 1, failures.join('\n'));
    },
  },
  'a provider asks with 407 in every request of a call': {
    phones: { caller: {}, provider: PROVIDER },
    play: (scene) => isAsked(scene, ['407 Proxy Authentication Required', 'Proxy-Authenticate', 'Proxy-Authorization']),
  },
  'a provider asks with 401 and SHA-256 in every request of a call': {
    phones: { caller: {}, provider: PROVIDER },
    play: (scene) => isAsked(scene, ['401 Unauthorized', 'WWW-Authenticate', 'Authorization', 'SHA-256']),
  },
  'a provider that does not take the proof refuses the call': {
    phones: { caller: {}, provider: PROVIDER },
    async play(scene) {
      const dialogue = new Callee();
      for (const nonce of ['first', 'second']) dialogue.refuses('401 Unauthorized', { more: [challenge('WWW-Authenticate', { nonce })] });
      await scene.start('provider', dialogue);
      const caller = await scene.start('caller', new Caller('provider').invites({ body: sdp(await scene.voice(450)) }).waits().expects(503).acksRefusal());
      await caller.ended;
    },
  },
};
