// A page with nothing in it but somebody else's library, unmodified from npm.
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const SIPJS = "import * as SIP from '/bare/sip.js/lib/index.js'; window.SIP = SIP; window.loaded = true;";
const modules = join(dirname(require.resolve('jssip/package.json')), '..');

/**
 * A bare page with the library's files beside it. The document is the exchange's own, with its script left
 * out: Chromium lets a page made up by the test speak to nobody on this machine.
 */
export async function barePage(context, server) {
  const page = await context.newPage();
  await page.route('**/assets/*.js', (route) => route.abort());
  await page.route('**/bare/**', async (route) => {
    const name = new URL(route.request().url()).pathname.slice('/bare/'.length);
    const body = name === 'sip.js' ? SIPJS : await readFile(join(modules, name));
    return route.fulfill({ contentType: 'text/javascript', body });
  });
  // The adapter inside JsSIP 3.0.13 breaks getStats; keep the native one.
  await page.addInitScript(() => {
    const getStats = RTCPeerConnection.prototype.getStats;
    window.statistics = (pc) => getStats.call(pc);
    window.videoFrames = async (pc) =>
      [...(await window.statistics(pc)).values()]
        .filter((entry) => entry.type === 'inbound-rtp' && entry.kind === 'video')
        .map((entry) => ({ ssrc: entry.ssrc, mid: entry.mid, frames: entry.framesDecoded ?? 0 }));
    window.show = (stream) => {
      if (document.getElementById(stream.id)) return;
      const video = document.createElement('video');
      Object.assign(video, { id: stream.id, autoplay: true, muted: true, srcObject: stream });
      document.body.append(video);
    };
  });
  await page.goto(server.url);
  return page;
}

const loaded = (page) => page.waitForFunction(() => window.JsSIP || window.loaded);

/** Loads a library into a bare page. */
export const scripts = {
  jssip: (page) => page.addScriptTag({ url: '/bare/jssip/dist/jssip.js' }).then(() => loaded(page)),
  sipjs: (page) => page.addScriptTag({ type: 'module', url: '/bare/sip.js' }).then(() => loaded(page)),
};
