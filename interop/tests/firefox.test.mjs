// The same call from Firefox.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startFirefox } from '../lib/firefox.mjs';
import { callAndTime, receivedVideo } from '../lib/page.mjs';
import { idle, registered, streams } from '../lib/phone.mjs';
import { startServer, wait } from '../lib/server.mjs';

test('246 in Firefox: four pictures whose frames keep counting', async () => {
  const server = await startServer();
  const browser = await startFirefox();
  try {
    const page = await browser.newPage();
    await page.goto(server.url);
    await registered(page);
    const timing = await page.evaluate(callAndTime, { number: '246', count: 4, limit_ms: 10_000 });
    assert.equal(timing.pictures, 4, server.log);
    console.log(`Firefox: first decoded remote frame after ${timing.first_ms.toFixed(0)} ms, fourth picture after ${timing.all_ms.toFixed(0)} ms`);
    const before = await streams(page);
    await wait(3_000);
    const after = await page.evaluate(receivedVideo);
    assert.equal(after.length, 4);
    assert.equal(new Set(after.map((stream) => stream.ssrc)).size, 4);
    for (const stream of after) {
      const frames = stream.frames - before.find((one) => one.ssrc === stream.ssrc).frames;
      assert.ok(frames >= 20, `SSRC ${stream.ssrc} decoded ${frames} frames in 3 s`);
    }
    await page.evaluate(() => document.querySelector('[data-testid="hangup"]').click());
    await idle(server, 5_000);
  } finally {
    await browser.close();
    await server.stop();
  }
});
