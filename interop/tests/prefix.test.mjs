// The page below a `prefix` of http.conf: its files, /client.json and the WebSocket are found beside it.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startChromium } from '../lib/chromium.mjs';
import { files, PASSWORD, STREAM_ECHO } from '../lib/files.mjs';
import { call, hangUp, idle, openPage } from '../lib/phone.mjs';
import { startServer } from '../lib/server.mjs';

const PREFIX = '/asterisk';

const prefixed = (ports) => {
  const written = files(STREAM_ECHO)(ports);
  written['http.conf'] += `prefix=${PREFIX}\nenable_status=yes\n`;
  return written;
};

test('the page registers and calls 246 below a prefix', async () => {
  const server = await startServer({ files: prefixed, prefix: PREFIX });
  const browser = await startChromium();
  try {
    assert.match(server.log, new RegExp(`Open http://127.0.0.1:${server.ports.http}${PREFIX}/ ; WebSocket at ${PREFIX}/ws`));
    const asked = [];
    browser.on('response', (response) => asked.push({ path: new URL(response.url()).pathname, status: response.status() }));
    const page = await openPage(browser, server, { account: { user: 'alice', password: PASSWORD } });
    assert.equal((await call(page)).pictures, 4, server.log);
    await hangUp(page);
    await idle(server, 3_000);
    assert.deepEqual(page.problems, []);
    assert.ok(asked.length > 4, JSON.stringify(asked));
    assert.deepEqual(asked.filter(({ path, status }) => !path.startsWith(`${PREFIX}/`) || status >= 400), []);

    // Without the slash the same page, and the pages the server makes itself have their typeface and icon.
    await page.goto(server.url.replace(/\/$/, ''));
    assert.equal(new URL(page.url()).pathname, `${PREFIX}/`);
    for (const name of ['ws', 'httpstatus']) {
      asked.length = 0;
      await page.goto(`${server.url}${name}`);
      assert.ok(await page.evaluate(() => document.fonts.ready.then(() => [...document.fonts].some((font) => font.status === 'loaded'))), name);
      assert.deepEqual(asked.filter(({ path, status }) => !path.startsWith(`${PREFIX}/`) || (status >= 400 && status !== 426)), []);
    }
  } finally {
    await browser.close();
    await server.stop();
  }
});
