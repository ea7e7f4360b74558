// Trunks: two exchanges that register at each other and call, and SIPp as the provider.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';

import { deskPhones, PASSWORD } from '../lib/files.mjs';
import { ask, freePort, startServer, until as untilMs } from '../lib/server.mjs';

const SCENARIOS = resolve(fileURLToPath(import.meta.url), '../../sipp');
const RUN_MS_MAX = 20_000;
const PATIENCE_MS = 10_000;

let folder;

const until = (what, probe) => untilMs(what, probe, PATIENCE_MS);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sidetone-trunk-'));
});

after(async () => {
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** An exchange that registers at the one on `far` as the desk phone there, and takes its calls. */
const branch = (own, far) => (ports) => {
  const written = deskPhones({ ...ports, sip: own });
  written['pjsip.conf'] += `
[far-auth]
type=auth
username=desk
password=${PASSWORD}
[far]
type=registration
server_uri=sip:127.0.0.1:${far}\\;transport=tcp
client_uri=sip:desk@127.0.0.1:${far}
contact_user=246
outbound_auth=far-auth
max_random_initial_delay=0
retry_interval=1
max_retries=60
line=yes
endpoint=far
[far]
type=endpoint
context=sets
webrtc=yes
disallow=all
allow=ulaw
`;
  return written;
};

const registered = (server) => async () => /far\/sip:127.*Registered +\(exp\. \d+s\)/.test(await ask(server, 'pjsip show registrations'));
const channels = async (server) => Number(/(\d+) active channel/.exec(await ask(server, 'core show channels'))?.[1]);

test('two exchanges register at each other, call each other, and come back after a stop', async () => {
  const [one, other] = [await freePort(), await freePort()];
  const start = (own, far) => startServer({ files: branch(own, far) });
  const first = await start(one, other);
  let second = await start(other, one);
  try {
    await until('the first is registered', registered(first));
    await until('the second is registered', registered(second));
    assert.match(await ask(second, 'pjsip show contacts'), new RegExp(`desk/sip:246@127\\.0\\.0\\.1:${one};transport=tcp`));
    await ask(first, 'channel originate PJSIP/desk application Wait 30');
    await until('both have the call', async () => (await channels(first)) === 1 && (await channels(second)) === 1);
    assert.match(await ask(second, 'core show channels'), /PJSIP\/far-/);
    await ask(second, 'channel request hangup all');
    await until('the call is over', async () => (await channels(first)) === 0 && (await channels(second)) === 0);
    await second.stop();
    await until('the stop took the contact back', async () => /No objects found/.test(await ask(first, 'pjsip show contacts')));
    await until('the first finds nobody there', async () => /Rejected/.test(await ask(first, 'pjsip show registrations')));
    second = await start(other, one);
    await until('the first is registered again', registered(first));
  } finally {
    await first.stop();
    await second.stop();
  }
});

/** Starts SIPp as a server for one dialogue; its end says whether everything came to pass. */
function provider(scenario, port) {
  const errors = join(folder, `${scenario}.errors`);
  const words = ['-sf', join(SCENARIOS, `${scenario}.xml`), '-i', '127.0.0.1', '-p', port, '-t', 'u1', '-m', 1];
  words.push('-nostdin', '-timeout', '15s', '-timeout_error', '-trace_err', '-error_file', errors);
  const child = spawn('sipp', words.map(String), { cwd: folder, stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), RUN_MS_MAX);
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', async (code) => {
      clearTimeout(timer);
      done({ code, why: await readFile(errors, 'utf8').catch(() => '') });
    });
  });
}

const customer = (registrar, trunk) => (ports) => {
  const written = deskPhones(ports);
  written['pjsip.conf'] += `
[provider]
type=auth
username=4930
password=secret
realm=provider.test
[provider]
type=registration
server_uri=sip:127.0.0.1:${registrar}
client_uri=sip:4930@provider.test
contact_user=4930
outbound_auth=provider
expiration=600
max_random_initial_delay=0
retry_interval=1
line=yes
endpoint=provider
[provider]
type=endpoint
context=sets
webrtc=yes
disallow=all
allow=ulaw
outbound_auth=provider
aors=provider
from_user=4930
from_domain=provider.test
[provider]
type=aor
contact=sip:127.0.0.1:${trunk}
`;
  return written;
};

test('SIPp is the provider: it challenges, asks for more time, and is taken leave of', async () => {
  const [registrar, trunk] = [await freePort(), await freePort()];
  const ended = provider('registrar', registrar);
  const called = provider('trunk', trunk);
  const server = await startServer({ files: customer(registrar, trunk) });
  try {
    const shown = async () => /Registered +\(exp\. (8[89]\d|900)s\)/.test(await ask(server, 'pjsip show registrations'));
    await until('it is registered', shown);
    await ask(server, 'channel originate PJSIP/4711@provider application Wait 1');
    const call = await called;
    assert.equal(call.code, 0, `${call.why}\n${server.log}`);
    await until('it was busy, so the proof was good', async () => /User busy/i.test(server.log));
    assert.match(await ask(server, 'pjsip show registration provider'), /expiration +: 600/);
    await ask(server, 'pjsip send unregister provider');
    const registration = await ended;
    assert.equal(registration.code, 0, `${registration.why}\n${server.log}`);
    await until('it knows', async () => /Unregistered/.test(await ask(server, 'pjsip show registrations')));
  } finally {
    await server.stop();
  }
});
