// A stranger opens the page, presses Call, sees himself four times more and hears himself.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { startChromium } from '../lib/chromium.mjs';
import { files, PASSWORD, WITHOUT_ECHO } from '../lib/files.mjs';
import { loudestTone, pictures, receivedVideo } from '../lib/page.mjs';
import { call, hangUp, idle, openPage, streams } from '../lib/phone.mjs';
import { startServer, wait } from '../lib/server.mjs';

const TONE_HZ = 440;
/** The dial plan's own Wait(0.5) comes before the echo. */
const DIALPLAN_WAIT_MS = 500;

describe('246 in Chromium', () => {
  let server;
  let browser;
  before(async () => {
    server = await startServer();
    browser = await startChromium({ tone_hz: TONE_HZ });
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });
  // A test that fails in mid-call must not leave its call to the next one.
  afterEach(async () => {
    for (const page of browser.pages()) await page.close();
    await idle(server, 5_000);
  });

  test('five pictures move, each of the four its own stream, the fourth within a second', async () => {
    const page = await openPage(browser, server);
    const timing = await call(page);
    assert.equal(timing.pictures, 4, `only ${timing.pictures} remote pictures came\n${server.log}`);
    assert.ok(timing.all_ms < 1_000, `the fourth picture took ${timing.all_ms.toFixed(0)} ms`);
    console.log(
      `pressing Call to the first decoded remote frame: ${timing.first_ms.toFixed(0)} ms ` +
        `(${(timing.first_ms - DIALPLAN_WAIT_MS).toFixed(0)} ms without the dial plan's own wait), ` +
        `to the fourth picture: ${timing.all_ms.toFixed(0)} ms`,
    );

    const [video, shown] = [await streams(page), await page.evaluate(pictures)];
    await wait(2_000);
    const [later, shownLater] = [await page.evaluate(receivedVideo), await page.evaluate(pictures)];
    assert.equal(new Set(later.map((stream) => stream.mid)).size, 4, 'four mids');
    assert.equal(new Set(later.map((stream) => stream.ssrc)).size, 4, 'four SSRCs');
    assert.equal(new Set(shownLater.map((picture) => picture.stream)).size, 5, 'own picture and four stream ids');
    for (const stream of later) {
      const before = video.find((one) => one.mid === stream.mid);
      assert.ok(stream.frames - before.frames >= 20, `mid ${stream.mid} decoded ${stream.frames - before.frames} frames in 2 s`);
    }
    for (const picture of shownLater) {
      assert.ok(picture.light > 0, `picture ${picture.stream} is black`);
      const before = shown.find((one) => one.stream === picture.stream);
      assert.notEqual(picture.sum, before?.sum, `picture ${picture.stream} stands still`);
    }
    await hangUp(page);
    await idle(server, 3_000);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('a 440 Hz tone comes back as 440 Hz', async () => {
    const page = await openPage(browser, server, { query: '?processing=off' });
    await call(page);
    const tone = await page.evaluate(loudestTone, { ms: 2_500 });
    assert.ok(Math.abs(tone.hz - TONE_HZ) <= 5, `heard ${tone.hz.toFixed(1)} Hz`);
    assert.ok(tone.over_db > 30, `the tone stands out by ${tone.over_db.toFixed(0)} dB only`);
    await hangUp(page);
    await page.close();
  });

  test('600 echoes sound', async () => {
    const page = await openPage(browser, server, { query: '?processing=off' });
    await call(page, { number: '600', count: 0 });
    await wait(1_000);
    const tone = await page.evaluate(loudestTone, { ms: 2_500 });
    assert.ok(Math.abs(tone.hz - TONE_HZ) <= 5, `heard ${tone.hz.toFixed(1)} Hz`);
    await hangUp(page);
    await page.close();
  });

  test('the # key leaves the echo and ends the call', async () => {
    const page = await openPage(browser, server);
    await call(page);
    await page.evaluate(() => {
      const sender = window.__sidetone.pc().getSenders().find((one) => one.dtmf);
      sender.dtmf.insertDTMF('#', 200);
    });
    await idle(server, 5_000);
    const { stories } = await server.status();
    assert.match(JSON.stringify(stories.at(-1) ?? stories[0]), /#/, 'the story knows the digit');
    await page.close();
  });
});

test('without StreamEcho the picture and tone checks fail', async () => {
  const server = await startServer({ files: files(WITHOUT_ECHO) });
  const browser = await startChromium({ tone_hz: TONE_HZ });
  try {
    const page = await openPage(browser, server, {
      query: '?processing=off',
      account: { user: 'alice', password: PASSWORD },
    });
    const timing = await call(page, { limit_ms: 4_000 });
    assert.equal(timing.all_ms, null, 'no four pictures');
    const frames = (await page.evaluate(receivedVideo)).reduce((sum, stream) => sum + stream.frames, 0);
    assert.equal(frames, 0, 'no remote frame is decoded');
    const tone = await page.evaluate(loudestTone, { ms: 2_000 });
    assert.ok(
      Math.abs(tone.hz - TONE_HZ) > 5 || tone.over_db < 30 || !Number.isFinite(tone.over_db),
      `a tone came back: ${JSON.stringify(tone)}`,
    );
  } finally {
    await browser.close();
    await server.stop();
  }
});
