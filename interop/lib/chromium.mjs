// Debian's Chromium with fake devices and otherwise default network preferences.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { temporaryFolder } from './server.mjs';
import { sine } from './sound.mjs';

const FLAGS = [
  '--no-sandbox',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Pages make and measure sound without a click. */
const UNASKED = '--autoplay-policy=no-user-gesture-required';

/**
 * A browser with a fresh profile. `tone_hz` feeds the fake microphone with a sine; `insecure` takes
 * certificates that nobody vouches for, as a person does with two clicks; `unasked` lets pages sound without a click.
 */
export async function startChromium({ tone_hz, locale = 'en-US', wrap, insecure = false, unasked = false } = {}) {
  const profile = await temporaryFolder('chromium');
  const args = unasked ? [...FLAGS, UNASKED] : [...FLAGS];
  if (tone_hz) {
    const file = join(profile, 'tone.wav');
    await writeFile(file, sine(tone_hz));
    args.push(`--use-file-for-fake-audio-capture=${file}`);
  }
  const context = await chromium.launchPersistentContext(join(profile, 'profile'), {
    executablePath: wrap ?? '/usr/bin/chromium',
    headless: true,
    ignoreHTTPSErrors: insecure,
    args,
    locale,
    viewport: { width: 1280, height: 800 },
  });
  const close = context.close.bind(context);
  context.close = async () => {
    await close();
    await rm(profile, { recursive: true, force: true });
  };
  return context;
}
