// The same call with other people's phones, unmodified from npm: JsSIP 3.0.13 and SIP.js 0.21.2.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { barePage, scripts } from '../lib/bare.mjs';
import { startChromium } from '../lib/chromium.mjs';
import { idle } from '../lib/phone.mjs';
import { startServer, wait } from '../lib/server.mjs';

function placeWithJsSip({ user, password, port }) {
  const host = `localhost:${port}`;
  const ua = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(`ws://${host}/ws`)],
    uri: `sip:${user}@localhost`,
    password,
    session_timers: true,
  });
  return new Promise((done, fail) => {
    ua.on('registrationFailed', (event) => fail(new Error(`registration: ${event.cause}`)));
    ua.on('registered', () => {
      const call = ua.call('sip:246@localhost', {
        mediaConstraints: { audio: true, video: true },
        pcConfig: { iceServers: [] },
        eventHandlers: {
          failed: (event) => fail(new Error(`call: ${event.cause}`)),
          confirmed: () => done(true),
        },
      });
      window.pc = call.connection;
      call.connection.ontrack = (event) => event.track.kind === 'video' && window.show(event.streams[0]);
      window.hangUp = () => call.terminate();
    });
    ua.start();
  });
}

async function placeWithSipJs({ user, password, port }) {
  const { Inviter, Registerer, SessionState, UserAgent } = window.SIP;
  const agent = new UserAgent({
    uri: UserAgent.makeURI(`sip:${user}@localhost`),
    authorizationUsername: user,
    authorizationPassword: password,
    transportOptions: { server: `ws://localhost:${port}/ws`, keepAliveInterval: 1 },
    sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: [] } },
    logBuiltinEnabled: false,
  });
  await agent.start();
  const registerer = new Registerer(agent);
  await new Promise((done, fail) => {
    registerer.stateChange.addListener((state) => state === 'Registered' && done());
    registerer.register({ requestDelegate: { onReject: (r) => fail(new Error(`registration ${r.message.statusCode}`)) } });
  });
  const call = new Inviter(agent, UserAgent.makeURI('sip:246@localhost'), {
    sessionDescriptionHandlerOptions: { constraints: { audio: true, video: true } },
  });
  call.delegate = {
    onSessionDescriptionHandler: (handler) => {
      handler.peerConnectionDelegate = {
        ontrack: (event) => event.track.kind === 'video' && window.show(event.streams[0]),
      };
    },
  };
  await new Promise((done, fail) => {
    call.stateChange.addListener((state) => state === SessionState.Established && done());
    call.invite({ requestDelegate: { onReject: (r) => fail(new Error(`call ${r.message.statusCode}`)) } });
  });
  window.pc = call.sessionDescriptionHandler.peerConnection;
  window.hangUp = () => call.bye();
}

async function fourPictures(page, server) {
  await page.waitForFunction(() => document.querySelectorAll('video').length === 4, null, { timeout: 5_000 });
  await wait(1_000);
  const before = await page.evaluate(() => window.videoFrames(window.pc));
  await wait(2_000);
  const after = await page.evaluate(() => window.videoFrames(window.pc));
  assert.equal(after.length, 4, server.log);
  for (const stream of after) {
    const frames = stream.frames - (before.find((one) => one.ssrc === stream.ssrc)?.frames ?? 0);
    assert.ok(frames >= 20, `mid ${stream.mid} decoded ${frames} frames in 2 s`);
  }
}

for (const [name, load, place] of [
  ['JsSIP 3.0.13', scripts.jssip, placeWithJsSip],
  ['SIP.js 0.21.2', scripts.sipjs, placeWithSipJs],
]) {
  test(`${name} registers, calls 246 and shows four pictures`, async () => {
    const server = await startServer();
    const browser = await startChromium();
    try {
      const [{ id, password }] = (await server.client()).demo.accounts;
      const page = await barePage(browser, server);
      await load(page);
      await page.evaluate(place, { user: id, password, port: server.ports.http });
      await fourPictures(page, server);
      await page.evaluate(() => window.hangUp());
      await idle(server, 5_000);
    } finally {
      await browser.close();
      await server.stop();
    }
  });
}
