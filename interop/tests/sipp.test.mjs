// SIPp, which everybody tests exchanges with, as a desk phone: over UDP and TCP, IPv4 and IPv6, with one
// connection and with several.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';

import { deskPhones } from '../lib/files.mjs';
import { ask, startServer } from '../lib/server.mjs';

const SCENARIOS = resolve(fileURLToPath(import.meta.url), '../../sipp');
const CALLS = 3;
const RUN_MS_MAX = 10_000;

let server;
let folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sidetone-sipp-'));
  server = await startServer({ files: deskPhones });
});

after(async () => {
  await server?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** Runs a scenario to its end, three times at once; everything in it must have come to pass. */
async function sipp(scenario, ip, transport, atOnce = CALLS) {
  const remote = ip.includes(':') ? `[${ip}]` : ip;
  const errors = join(folder, `${scenario}.errors`);
  const words = ['-sf', join(SCENARIOS, `${scenario}.xml`), '-i', ip, '-t', transport, '-max_socket', 16];
  words.push('-m', CALLS, '-l', atOnce, '-r', 50, '-nostdin', '-timeout', '8s', '-timeout_error', '-trace_err', '-error_file', errors);
  const child = spawn('sipp', [...words, `${remote}:${server.ports.sip}`].map(String), { cwd: folder, stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), RUN_MS_MAX);
  const code = await new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', done);
  });
  clearTimeout(timer);
  const why = await readFile(errors, 'utf8').catch(() => '');
  assert.equal(code, 0, `${scenario} over ${transport} from ${ip}\n${why}\n${server.log}`);
}

for (const ip of ['127.0.0.1', '::1']) {
  for (const transport of ['u1', 'un', 't1', 'tn']) {
    test(`SIPp with -t ${transport} from ${ip} registers, asks, calls`, async () => {
      // One after the other: each sees its own contact alone.
      await sipp('register', ip, transport, 1);
      assert.match(await ask(server, 'pjsip show contacts'), /No objects found/);
      await sipp('options', ip, transport);
      await sipp('refused', ip, transport);
      await sipp('answered', ip, transport);
      await sipp('subscribe', ip, transport);
    });
  }
}

test('a registration over UDP stays when SIPp is gone', async () => {
  await sipp('stay', '127.0.0.1', 'u1');
  assert.match(await ask(server, 'pjsip show contacts'), /desk\/sip:desk@127\.0\.0\.1/);
});
