// A machine with nothing but loopback: browsers gather no loopback candidates, and the page says so.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { startChromium } from '../lib/chromium.mjs';
import { startServer, temporaryFolder } from '../lib/server.mjs';

const NAMESPACE = `sidetone-lo-${process.pid}`;

test('a machine with nothing but loopback is told so', async () => {
  const ip = (...words) => execFileSync('ip', words);
  ip('netns', 'add', NAMESPACE);
  let server;
  let browser;
  try {
    ip('-n', NAMESPACE, 'link', 'set', 'lo', 'up');
    const inside = ['ip', 'netns', 'exec', NAMESPACE];
    server = await startServer({ wrap: inside });
    const launcher = join(await temporaryFolder('launcher'), 'chromium');
    await writeFile(launcher, `#!/bin/sh\nexec ${inside.join(' ')} /usr/bin/chromium "$@"\n`);
    await chmod(launcher, 0o755);
    browser = await startChromium({ wrap: launcher });
    const page = await browser.newPage();
    await page.goto(server.url);
    const banner = page.getByTestId('error');
    await banner.waitFor({ timeout: 10_000 });
    assert.match(await banner.innerText(), /loopback|network/i);
  } finally {
    await browser?.close();
    await server?.stop();
    ip('netns', 'del', NAMESPACE);
  }
});
