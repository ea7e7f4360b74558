// A certificate of `sidetone cert`: Chromium opens https without a word once its authority is trusted.
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { BINARY, startServer, temporaryFolder } from '../lib/server.mjs';

const run = promisify(execFile);

/** What a fresh Chromium of this home shows at the address. */
async function shown(home, url) {
  const profile = await temporaryFolder('profile');
  const { stdout } = await run(
    'chromium',
    ['--headless=new', '--no-sandbox', '--disable-gpu', `--user-data-dir=${profile}`, '--dump-dom', url],
    { env: { ...process.env, HOME: home }, timeout: 60_000 },
  );
  return stdout;
}

test('Chromium trusts what a trusted authority made', async () => {
  const certs = await temporaryFolder('certs');
  const file = (name) => join(certs, name);
  await run(BINARY, ['cert', '--dir', certs]);
  const server = await startServer({
    files: (ports) => ({
      'http.conf': `[general]
tlsenable=yes
tlsbindaddr=127.0.0.1:${ports.https}
tlscertfile=${file('server.pem')}
tlsprivatekey=${file('server.key')}
`,
    }),
  });
  try {
    const home = await temporaryFolder('home');
    const url = `https://localhost:${server.ports.https}/ws`;
    assert.doesNotMatch(await shown(home, url), /The WebSocket is here/, 'nobody trusts it yet');
    const store = join(home, '.pki/nssdb');
    await mkdir(store, { recursive: true });
    await run('certutil', ['-d', `sql:${store}`, '-N', '--empty-password']);
    await run('certutil', ['-d', `sql:${store}`, '-A', '-t', 'C,,', '-n', 'own', '-i', file('ca.pem')]);
    assert.match(await shown(home, url), /The WebSocket is here/);
  } finally {
    await server.stop();
  }
});
