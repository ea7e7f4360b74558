// A database that goes away, slows down and comes back in the middle of a call: nobody hears of it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { emptyDatabase, installWebPhone, openWebPhone, Reader, SQL, stateOf } from '../lib/chapter.mjs';
import { hasMariaDb, hasPostgres, startMariaDb, startPostgres } from '../lib/databases.mjs';
import { receivedVideo } from '../lib/page.mjs';
import { until, wait } from '../lib/server.mjs';

const JSSIP = join(dirname(createRequire(import.meta.url).resolve('jssip/package.json')), 'dist/jssip.js');
/** A slow answer: longer than any statement may take. */
const SLOW_MS = 20_000;
/** How long a phone known to the exchange may wait while the database is away or slow. */
const KNOWN_MS_MAX = 5_000;
/** How long until a database that is away is spoken of. */
const DEGRADED_MS_MAX = 15_000;
/** How long after its return the database must have what it missed. */
const DELIVERED_MS_MAX = 30_000;

const DATABASES = [
  ['MariaDB', process.env.SIDETONE_TEST_MYSQL, countOnMariaDb],
  ['PostgreSQL', process.env.SIDETONE_TEST_POSTGRES, countOnPostgres],
];

for (const [index, [name, url, count]] of DATABASES.entries()) {
  const missing = url === undefined && 'no such server: run it by `cargo xtask test`, which starts one';
  test(`${name} cut off and slowed in a call`, { skip: missing, timeout: 180_000 }, async () => {
    const reader = await Reader.arrive(index + 11, await emptyDatabase(url));
    let browser;
    try {
      await movesIn(reader);
      browser = await reader.browser();
      const phone = await openWebPhone(browser, 'WS_PHONE_A', 'spiderwrench');
      await comesIn(phone);

      const called = await inCall(phone);
      reader.cable.slow(SLOW_MS);
      await known(phone, 'slow');
      await called.goesOn();
      reader.cable.cut();
      await health(reader, 'degraded', DEGRADED_MS_MAX);
      const { trouble } = (await reader.status()).database;
      assert.ok(trouble.since > 1_700_000_000 && trouble.error, JSON.stringify(trouble));
      await known(phone, 'away');
      await called.goesOn();
      await hangUp(phone);
      // A known phone calls while the database is away, and the record of that call waits.
      const second = await inCall(phone);
      await second.goesOn();
      await hangUp(phone);

      reader.cable.slow(0);
      reader.cable.mend();
      await until('two records', async () => count(url) === 2, DELIVERED_MS_MAX);
      await health(reader, 'ok', DELIVERED_MS_MAX);
      const third = await inCall(phone);
      await third.goesOn();
      await phone.click('#hangup');
      await until('three records', async () => count(url) === 3, DELIVERED_MS_MAX);
      await wait(2_000);
      assert.equal(count(url), 3, 'each call once');
    } finally {
      await browser?.close();
      await reader.leaves();
    }
  });
}

const SERVERS = [
  ['MariaDB', hasMariaDb, startMariaDb],
  ['PostgreSQL', hasPostgres, startPostgres],
];

for (const [index, [name, isHere, start]] of SERVERS.entries()) {
  const missing = !isHere() && 'no such server is installed: `cargo xtask test` does it';
  test(`${name} stopped, killed and restarted in a call`, { skip: missing, timeout: 240_000 }, async () => {
    const reader = await Reader.arrive(index + 21);
    let browser, server;
    try {
      server = await start(reader.machine.outside);
      await reader.names(server.url);
      await movesIn(reader);
      browser = await reader.browser();
      const phone = await openWebPhone(browser, 'WS_PHONE_A', 'spiderwrench');
      await comesIn(phone);
      const records = () => server.lines('SELECT uniqueid FROM asterisk.cdr');

      const called = await inCall(phone);
      server.freezes();
      await known(phone, 'stopped');
      await called.goesOn();
      await health(reader, 'degraded', DEGRADED_MS_MAX);
      server.thaws();
      await health(reader, 'ok', DELIVERED_MS_MAX);
      await called.goesOn();

      await server.dies();
      await health(reader, 'degraded', DEGRADED_MS_MAX);
      await known(phone, 'dead');
      await called.goesOn();
      await hangUp(phone);
      // A known phone calls while there is no database, and the record of that call waits.
      const second = await inCall(phone);
      await second.goesOn();
      await server.starts();
      await until('the first record', () => records().length === 1, DELIVERED_MS_MAX);
      await second.goesOn();
      await hangUp(phone);
      await until('two records', () => records().length === 2, DELIVERED_MS_MAX);
      await health(reader, 'ok', DELIVERED_MS_MAX);

      // Killed between the end of a call and its next one, and back at once.
      const third = await inCall(phone);
      await third.goesOn();
      await server.dies();
      await hangUp(phone);
      await server.starts();
      await until('three records', () => records().length === 3, DELIVERED_MS_MAX);
      await wait(2_000);
      // Without an order asked for, both servers give rows as they came in.
      const ids = records();
      assert.equal(new Set(ids).size, 3, `each call once: ${ids}`);
      assert.deepEqual(ids, [...ids].sort((a, b) => Number(a) - Number(b)), 'in order');
      await health(reader, 'ok', DELIVERED_MS_MAX);
    } finally {
      await browser?.close();
      await reader.leaves();
      await server?.leaves();
    }
  });
}

/** The reader's files, certificates, tables and web phone; then the exchange is started. */
async function movesIn(reader) {
  for (const file of ['pjsip.conf', 'extensions.conf', 'http-static.conf']) {
    await reader.writes(file, file.replace('-static', ''));
  }
  await reader.certificate('self-signed');
  await reader.certificate('asterisk');
  for (const words of [['init'], ['exec', SQL]]) {
    const ran = await reader.runs('db', ...words);
    assert.equal(ran.code, 0, ran.stderr);
  }
  await installWebPhone(join(reader.data, 'static-http/cyber_mega_phone_2k'), JSSIP);
  await reader.starts();
}

/** Registers for the first time. A server that has just started may be slow to answer: then the exchange asks
 * the phone to come again (503 with Retry-After), and its owner presses Connect once more. */
async function comesIn(phone) {
  const state = () => phone.innerText('#state');
  await until('an answer', async () => (await state()) !== 'offline', 10_000);
  if ((await state()).startsWith('refused: 503')) {
    await wait(1_000);
    await phone.click('#connect');
  }
  await stateOf(phone, 'registered');
}

const health = (reader, wanted, ms) =>
  until(`the health ${wanted}`, async () => (await reader.status()).state === wanted, ms);

async function hangUp(phone) {
  await phone.click('#hangup');
  await stateOf(phone, 'registered', KNOWN_MS_MAX);
}

/** Takes its contact back and registers anew; a known phone must not be kept waiting. */
async function known(phone, how) {
  const answer = await phone.evaluate(
    (ms) =>
      new Promise((done) => {
        const timer = setTimeout(() => done('no answer'), ms);
        window.agent.once('registered', (event) => {
          clearTimeout(timer);
          done(event.response.status_code);
        });
        window.agent.once('unregistered', () => window.agent.register());
        window.agent.unregister();
      }),
    KNOWN_MS_MAX,
  );
  assert.equal(answer, 200, `a known phone registers while the database is ${how}`);
}

/** Calls 246; `goesOn` proves that frames keep coming. */
async function inCall(phone) {
  await phone.click('#call');
  await stateOf(phone, 'in a call', KNOWN_MS_MAX);
  const decoded = async () => (await phone.evaluate(receivedVideo)).reduce((sum, one) => sum + one.frames, 0);
  await until('the first frames', async () => (await decoded()) > 0, 8_000);
  return {
    async goesOn() {
      const before = await decoded();
      await wait(1_500);
      const frames = (await decoded()) - before;
      assert.ok(frames >= 10, `${frames} frames in 1.5 s`);
    },
  };
}

function countOnMariaDb(url) {
  const { hostname, port, username, password } = new URL(url);
  const words = ['-h', hostname, '-P', port, '-u', username, `-p${password}`, '--skip-ssl', '-N', '-e'];
  return Number(execFileSync('mariadb', [...words, 'SELECT count(*) FROM asterisk.cdr']));
}

function countOnPostgres(url) {
  return Number(execFileSync('psql', [url, '-Atc', 'SELECT count(*) FROM asterisk.cdr']));
}
