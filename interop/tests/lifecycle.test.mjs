// What is left when a call, a tab or the exchange itself ends.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { chmod } from 'node:fs/promises';
import { get as plain } from 'node:http';
import { get as secure } from 'node:https';

import { startChromium } from '../lib/chromium.mjs';
import { call, hangUp, idle, openPage } from '../lib/phone.mjs';
import { runToEnd, startServer, temporaryFolder, until, wait } from '../lib/server.mjs';

/** A dead client must be noticed by lost consent or a closed socket within this. */
const FREED_MS_MAX = 35_000;
/** What 15 further calls may add to the resident memory: allocator noise, not a leak. */
const GROWTH_KIB_MAX = 6_000;

describe('the end of things', () => {
  test('a killed tab frees everything within 35 s', async () => {
    const server = await startServer();
    const browser = await startChromium();
    try {
      const before = (await server.status()).counts;
      const page = await openPage(browser, server);
      const timing = await call(page);
      assert.equal(timing.pictures, 4);
      assert.equal((await server.status()).counts.channels, 1);
      const crash = await browser.newCDPSession(page);
      // The renderer dies as if killed: no BYE, no goodbye on the socket from the page's script.
      crash.send('Page.crash').catch(() => {});
      const counts = await until(
        'the freed call',
        async () => {
          const now = (await server.status()).counts;
          return now.channels === 0 && now.legs === 0 && now.bindings === before.bindings ? now : null;
        },
        FREED_MS_MAX,
      );
      assert.equal(counts.sockets, before.sockets);
    } finally {
      await browser.close();
      await server.stop();
    }
  });

  test('20 calls in a row leak nothing', async () => {
    const server = await startServer();
    const browser = await startChromium();
    try {
      const page = await openPage(browser, server);
      let early;
      for (let number = 1; number <= 20; number += 1) {
        const timing = await call(page);
        assert.equal(timing.pictures, 4, `call ${number}`);
        await hangUp(page);
        const counts = await idle(server, 3_000);
        if (number === 5) early = { ...(await server.footprint()), counts };
      }
      // The browser's idle HTTP connections close in between, so there may be fewer.
      let late;
      const isNoMore = async () => (late = await server.footprint()).files <= early.files;
      await until('no more files', isNoMore, 5_000).catch(() => assert.fail(`open files and sockets went from ${early.files} to ${late.files}`));
      assert.ok(late.rss_kib - early.rss_kib < GROWTH_KIB_MAX, `memory grew by ${late.rss_kib - early.rss_kib} KiB`);
      await until('no more tasks', async () => (await server.status()).counts.tasks <= early.counts.tasks, 3_000);
      console.log(`resident memory after 5 calls ${early.rss_kib} KiB, after 20 calls ${late.rss_kib} KiB`);
    } finally {
      await browser.close();
      await server.stop();
    }
  });

  test('Ctrl-C hangs up the call and leaves within a second', async () => {
    const server = await startServer();
    const browser = await startChromium();
    try {
      const page = await openPage(browser, server);
      await call(page);
      const started = performance.now();
      server.interrupt();
      const { code } = await server.exit;
      const ms = performance.now() - started;
      assert.equal(code, 0, server.log);
      assert.ok(ms < 1_000, `it took ${ms.toFixed(0)} ms to leave`);
      await until('the page to see the end', () => page.evaluate(() => window.__sidetone.pc() === null), 3_000);
    } finally {
      await browser.close();
      await server.stop();
    }
  });

  test('accounts survive a restart', async () => {
    const data = await temporaryFolder('data');
    const first = await startServer({ data });
    const before = (await first.client()).demo.accounts;
    first.interrupt();
    await first.exit;
    const second = await startServer({ data });
    assert.deepEqual((await second.client()).demo.accounts, before);
    await second.stop();
  });
});

test('both loopback addresses are served, with and without TLS', async () => {
  const server = await startServer();
  const { http, https } = server.ports;
  try {
    for (const [get, host, port] of [
      [plain, '127.0.0.1', http],
      [plain, '::1', http],
      [secure, '127.0.0.1', https],
      [secure, '::1', https],
    ]) {
      const status = await new Promise((done, fail) => {
        const request = get({ host, port, path: '/', agent: false, rejectUnauthorized: false }, (response) => {
          response.resume();
          done(response.statusCode);
        });
        request.on('error', fail);
      });
      assert.equal(status, 200, `${host} port ${port}`);
    }
  } finally {
    await server.stop();
  }
});

describe('a start that cannot be is one clear sentence and exit code 1', () => {
  test('a busy port', async () => {
    const server = await startServer();
    const data = await temporaryFolder('busy');
    const refused = await runToEnd(['--data', data, '--http-port', server.ports.http, '--https-port', 0, '--sip-port', 0]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr.trim(), new RegExp(`^[^\\n]*port ${server.ports.http}[^\\n]*$`));
    await server.stop();
  });

  test('a second instance on the same data', async () => {
    const server = await startServer();
    const refused = await runToEnd(['--data', server.folder]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr.trim(), /^[^\n]*another sidetone runs on the data folder[^\n]*$/);
    await server.stop();
  });

  test('a folder that cannot be written', async () => {
    const folder = await temporaryFolder('file');
    await chmod(folder, 0o500);
    // Root ignores modes, so the path leads through a file, which nobody can write into.
    const refused = await runToEnd(['--data', '/dev/null/sidetone']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr.trim(), /^[^\n]*cannot make the data folder[^\n]*--data[^\n]*$/);
  });
});

