// What the page says when something is wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startChromium } from '../lib/chromium.mjs';
import { files, PASSWORD, STREAM_ECHO } from '../lib/files.mjs';
import { openPage, signIn } from '../lib/phone.mjs';
import { startServer } from '../lib/server.mjs';

for (const [locale, sentence] of [
  ['en-US', /password/i],
  ['ru-RU', /парол/i],
]) {
  test(`a wrong password is said plainly (${locale})`, async () => {
    const server = await startServer({ files: files(STREAM_ECHO) });
    const browser = await startChromium({ locale });
    try {
      const page = await browser.newPage();
      await page.goto(server.url);
      await signIn(page, { user: 'alice', password: 'wrong' });
      const banner = page.getByTestId('error');
      await banner.waitFor({ timeout: 5_000 });
      assert.match(await banner.innerText(), sentence);
      assert.match(server.log, /alice/, 'the log names the account');
    } finally {
      await browser.close();
      await server.stop();
    }
  });
}

test('a number that does not exist is said plainly', async () => {
  const server = await startServer({ files: files(STREAM_ECHO) });
  const browser = await startChromium();
  try {
    const page = await openPage(browser, server, { account: { user: 'alice', password: PASSWORD } });
    await page.getByTestId('number').fill('999');
    await page.getByTestId('call').click();
    const banner = page.getByTestId('error');
    await banner.waitFor({ timeout: 5_000 });
    assert.match(await banner.innerText(), /999/);
  } finally {
    await browser.close();
    await server.stop();
  }
});
