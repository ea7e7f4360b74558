// Debian's Firefox ESR with fake devices and default ICE preferences.
import { rm } from 'node:fs/promises';

import puppeteer from 'puppeteer-core';

import { temporaryFolder } from './server.mjs';

export async function startFirefox() {
  const profile = await temporaryFolder('firefox');
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: '/usr/bin/firefox-esr',
    headless: true,
    userDataDir: profile,
    // Firefox refuses to run as root with another user's home.
    env: { ...process.env, HOME: profile },
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.autoplay.default': 0,
      'app.update.enabled': false,
    },
  });
  const close = browser.close.bind(browser);
  browser.close = async () => {
    await close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return browser;
}
