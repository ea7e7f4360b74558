// Pictures of the real page with the real exchange, for people to look at: interop/artifacts/.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startChromium } from '../lib/chromium.mjs';
import { call, hangUp, openPage } from '../lib/phone.mjs';
import { startServer, until, wait } from '../lib/server.mjs';

const FOLDER = join(dirname(resolve(fileURLToPath(import.meta.url))), '../artifacts');
const SIZES = { desk: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

test('the page is photographed idle, in a call, on hold, before a transfer and with an error', async () => {
  await mkdir(FOLDER, { recursive: true });
  const server = await startServer();
  const browser = await startChromium();
  try {
    for (const theme of ['light', 'dark']) {
      const page = await openPage(browser, server, { query: `?theme=${theme}` });
      const photograph = async (state) => {
        for (const [size, viewport] of Object.entries(SIZES)) {
          await page.setViewportSize(viewport);
          await wait(300);
          const width = await page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(width <= viewport.width, `${state} is ${width} px wide on a ${size}`);
          await page.screenshot({ path: join(FOLDER, `${state}-${size}-${theme}.png`) });
        }
      };
      await photograph('idle');
      assert.equal((await call(page)).pictures, 4, server.log);
      await photograph('call');
      await page.getByTestId('hold').click();
      await page.locator('[data-state="held"]').waitFor();
      await photograph('held');
      await page.getByTestId('hold').click();
      await page.locator('[data-state="talking"]').waitFor();
      await page.getByTestId('transfer').click();
      await photograph('transfer');
      await page.keyboard.press('Escape');
      await until('the pictures are back', () => page.evaluate(() => document.querySelectorAll('[data-testid="remote-tile"][data-live="true"]').length === 4), 5_000);
      await hangUp(page);
      await page.getByTestId('number').fill('999');
      await page.getByTestId('call').click();
      await page.getByTestId('error').waitFor();
      await photograph('error');
      assert.deepEqual(page.problems, []);
      await page.close();
    }
  } finally {
    await browser.close();
    await server.stop();
  }
});
