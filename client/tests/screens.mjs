// Pictures of every state in both themes, and axe on each: `npm run screens -- OUT_DIR [scene…]`.
// Needs Chromium (CHROMIUM, default /usr/bin/chromium); paints with the mock of src/dev.

import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { createServer } from 'vite';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const [out = 'screens', ...only] = process.argv.slice(2);
const SIZES = { desk: { width: 1440, height: 900 }, phone: { width: 390, height: 844 }, narrow: { width: 320, height: 640 } };
const DEMO = {
  accounts: [
    { id: 'alice', password: 'x' },
    { id: 'bob', password: 'x' },
  ],
  numbers: [{ number: '246', label: 'Echo' }, { number: 'bob', label: 'Bob' }],
};

/** What to press after the page has connected. */
const SCENES = {
  idle: {},
  signin: { config: { demo: null } },
  calling: { press: ['call'] },
  talking: { press: ['call'] },
  held: { press: ['call', 'hold'] },
  transfer: { press: ['call', 'transfer'] },
  transferfailed: { press: ['call', 'transfer'], type: '999' },
  sent: { press: ['call', 'transfer'], type: 'bob' },
  pad: { press: ['call', 'pad?', 'key-1', 'key-#'] },
  incoming: {},
  notfound: { press: ['call'] },
  password: {},
  gone: {},
  loopback: { config: { demo: DEMO, loopback_only: true } },
  denied: { deny: true },
  devices: { press: ['devices'] },
  voice: { press: ['call'] },
  story: { press: ['story'] },
};

await mkdir(out, { recursive: true });
const server = await createServer({ root: new URL('..', import.meta.url).pathname, server: { port: 5199, host: '127.0.0.1' }, logLevel: 'error' });
await server.listen();
const fake = ['--no-sandbox', '--use-fake-device-for-media-stream'];
const allow = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...fake, '--use-fake-ui-for-media-stream'] });
const refuse = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: fake });
let faults = 0;
for (const [name, scene] of Object.entries(SCENES)) {
  if (only.length > 0 && !only.includes(name)) continue;
  for (const theme of ['light', 'dark']) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      const lang = theme === 'dark' ? 'ru' : 'en';
      const page = await (scene.deny ? refuse : allow).newPage({ viewport });
      page.on('pageerror', (error) => console.log(name, 'page error:', error.message));
      await page.route('**/client.json', (route) => route.fulfill({ json: { demo: DEMO, loopback_only: false, version: '0.1.0', ...scene.config } }));
      await page.goto(`http://127.0.0.1:5199/?mock=${name}&theme=${theme}&lang=${lang}`);
      await page.waitForTimeout(700);
      for (const id of scene.press ?? []) {
        const button = page.getByTestId(id.replace('?', ''));
        if (id.endsWith('?') && !(await button.isVisible())) continue;
        await button.click();
        await page.waitForTimeout(150);
      }
      if (scene.type) {
        await page.keyboard.type(scene.type);
        await page.keyboard.press('Enter');
      }
      await page.waitForTimeout(900);
      await page.screenshot({ path: `${out}/${name}-${size}-${theme}.png`, fullPage: size === 'narrow' });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { rules: { region: { enabled: false } } }));
      for (const { id, nodes } of violations) console.log(name, size, theme, id, nodes.map(({ target, any }) => `${target} ${any[0]?.message ?? ''}`).join(' | '));
      if (wide) console.log(name, size, theme, 'is wider than the window');
      faults += violations.length + Number(wide);
      await page.close();
    }
  }
}
await Promise.all([allow.close(), refuse.close(), server.close()]);
console.log(faults === 0 ? 'no faults' : `${faults} faults`);
process.exitCode = faults === 0 ? 0 : 1;
