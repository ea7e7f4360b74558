// Debian's Chromium with fake devices and otherwise default network preferences.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { temporaryFolder } from './server.mjs';

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

/**
 * A browser with a fresh profile. `tone_hz` feeds the fake microphone with a sine; `insecure` takes
 * certificates that nobody vouches for, as a person does with two clicks.
 */
export async function startChromium({ tone_hz, locale = 'en-US', wrap, insecure = false } = {}) {
  const profile = await temporaryFolder('chromium');
  const args = [...FLAGS];
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

/** Ten seconds of a full-scale/4 sine: 16-bit mono WAV at 48 kHz, a whole number of periods. */
export function sine(hz, seconds = 10, rate = 48_000) {
  const samples = rate * seconds;
  const wav = Buffer.alloc(44 + samples * 2);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + samples * 2, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(rate, 24);
  wav.writeUInt32LE(rate * 2, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(samples * 2, 40);
  for (let i = 0; i < samples; i += 1) {
    wav.writeInt16LE(Math.round(8192 * Math.sin((2 * Math.PI * hz * i) / rate)), 44 + i * 2);
  }
  return wav;
}
