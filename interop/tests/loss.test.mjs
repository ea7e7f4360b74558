// Five datagrams in a hundred are lost each way; the pictures go on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkInterfaces } from 'node:os';

import { startChromium } from '../lib/chromium.mjs';
import { receivedVideo } from '../lib/page.mjs';
import { call, hangUp, idle, openPage, streams } from '../lib/phone.mjs';
import { startRelay, throughRelay } from '../lib/relay.mjs';
import { startServer, wait } from '../lib/server.mjs';

const LOSS = 0.05;
const SECONDS = 10;

test('frames keep flowing through 5 % loss, with NACK, RTX and PLI', async () => {
  const server = await startServer();
  const browser = await startChromium();
  const address = Object.values(networkInterfaces())
    .flat()
    .find((one) => one.family === 'IPv4' && !one.internal)?.address;
  assert.ok(address, 'this test needs a network interface besides loopback');
  let relay;
  try {
    await browser.exposeFunction('relayTo', async (port) => {
      relay ??= await startRelay({ address, target: { address, port }, loss: LOSS, seed: 20 });
      return relay.port;
    });
    await browser.addInitScript(throughRelay, { address });
    const page = await openPage(browser, server);
    const timing = await call(page);
    assert.equal(timing.pictures, 4, server.log);
    const before = await streams(page);
    await wait(SECONDS * 1_000);
    const after = await page.evaluate(receivedVideo);
    for (const stream of after) {
      const frames = stream.frames - before.find((one) => one.mid === stream.mid).frames;
      assert.ok(frames > SECONDS * 10, `mid ${stream.mid} decoded only ${frames} frames in ${SECONDS} s`);
    }
    const sum = (name) => after.reduce((total, stream) => total + stream[name], 0);
    const sent = await page.evaluate(async () => {
      const stats = [...(await window.__sidetone.pc().getStats()).values()];
      const video = stats.filter((entry) => entry.type === 'outbound-rtp' && entry.kind === 'video');
      const total = (name) => video.reduce((all, entry) => all + (entry[name] ?? 0), 0);
      return { nack: total('nackCount'), pli: total('pliCount'), retransmitted: total('retransmittedPacketsSent') };
    });
    console.log(`relay ${JSON.stringify(relay.counts)}, browser received ${JSON.stringify({
      nack_sent: sum('nack'), pli_sent: sum('pli'), rtx: sum('retransmitted'), lost: sum('lost'),
    })}, browser sent ${JSON.stringify(sent)}`);
    assert.ok(relay.counts.dropped > 50, 'the relay really dropped');
    assert.ok(sum('nack') > 0, 'the browser asked for lost packets');
    assert.ok(sum('retransmitted') > 0, 'the exchange sent them again');
    assert.ok(sent.nack > 0, 'the exchange asked for lost packets');
    assert.ok(sent.retransmitted > 0, 'the browser sent them again');
    assert.ok(sent.pli > 0, 'key frames were asked for');
    await hangUp(page);
    // The exchange counted what it was asked for again, and tells it in the story of the call.
    await idle(server, 5_000);
    const { stories } = await server.status();
    const told = stories.at(-1).events.filter((entry) => entry.event === 'sums' && entry.kind === 'video');
    const total = (name) => told.reduce((all, entry) => all + entry[name], 0);
    assert.ok(total('nacks_in') > 0, 'the story counts NACKs');
  } finally {
    await browser.close();
    relay?.close();
    await server.stop();
  }
});
