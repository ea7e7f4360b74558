// Phones, browsers and trunks with every feature that they have: each change of a call is proven by the tone of the other
// side, in both directions. What was found is written into docs/interop.md.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Certificates } from '../lib/certificates.mjs';
import { startChromium } from '../lib/chromium.mjs';
import { PASSWORD } from '../lib/files.mjs';
import { files, PAIRS, ROWS, startRow, tryPair, tryRow } from '../lib/matrix.mjs';
import { REPORT, report, writeReport } from '../lib/report.mjs';
import { freePort, startServer } from '../lib/server.mjs';
import { Softphone, softphonePage } from '../lib/softphone.mjs';
import { DIALOGUES, trunks, tryDialogue } from '../lib/trunks.mjs';

/** Calls at once: two cores have time for these. */
const AT_ONCE = 4;
const ROW_MS_MAX = 220_000;
const SUITE_MS_MAX = 600_000;
/** Some of the rows and features alone, while somebody looks for a fault; then nothing is written. */
const only = { rows: process.env.MATRIX_ROWS?.split(','), pairs: process.env.MATRIX_ROWS ? [] : PAIRS };

const world = {};
const parties = [];
const found = { phones: [], pairs: [], trunks: [] };

before(async () => {
  const certificates = await Certificates.make();
  certificates.authority('authority');
  certificates.signed('server', 'authority');
  world.tls = { port: await freePort(), certificate: certificates.path('server.pem'), key: certificates.path('server.key') };
  world.trunks = await trunks();
  world.server = await startServer({ files: files(world.tls, world.trunks) });
  world.browser = await startChromium({ unasked: true, insecure: true });
  world.pages = {
    ws: await softphonePage(world.browser, world.server.url),
    wss: await softphonePage(world.browser, `https://localhost:${world.server.ports.https}/`),
  };
});

after(async () => {
  await Promise.all(parties.map((row) => row?.phone.stop()));
  await world.browser?.close();
  await world.server?.stop();
});

const wanted = (index) => !only.rows || only.rows.includes(String(index));

describe('phones', { concurrency: AT_ONCE, timeout: SUITE_MS_MAX }, () => {
  for (const [index, row] of ROWS.entries()) {
    test(`${row.peer} over ${row.transport}, ${row.security}, ${row.codec}`, { skip: !wanted(index), timeout: ROW_MS_MAX }, async () => {
      found.phones[index] = {};
      parties[index] = await startRow(row, world);
      const { cells, faults } = await tryRow(parties[index]);
      found.phones[index] = cells;
      assert.deepEqual(faults, []);
    });
  }
});

describe('phones call each other', { concurrency: AT_ONCE }, () => {
  for (const [index, [caller, callee]] of only.pairs.entries()) {
    test(`${caller + 1} calls ${callee + 1}`, async () => {
      found.pairs[index] = 'fail';
      await tryPair(parties[caller], parties[callee]);
      found.pairs[index] = 'pass';
    });
  }
});

describe('trunks', { concurrency: true }, async () => {
  for (const index of [0, 1]) {
    test(`SIPp over ${['UDP', 'TCP'][index]}`, { skip: !wanted('trunks'), timeout: ROW_MS_MAX }, async () => {
      const trunk = world.trunks[index];
      const socket = `wss://localhost:${world.server.ports.https}/ws`;
      const soft = (user, tone_hz) => Softphone.start(world.pages.wss, { user, password: PASSWORD, socket, tone_hz });
      const [far, third] = [await soft(trunk.users[0], 520), await soft(trunk.users[1], 1_340)];
      const faults = [];
      for (const [place, dialogue] of DIALOGUES.entries()) {
        (found.trunks[place] ??= [])[index] = 'pass';
        await tryDialogue(dialogue, trunk, { far, third }, world.server).catch(({ message }) => {
          found.trunks[place][index] = 'fail';
          faults.push(`${dialogue.name}: ${message}`);
        });
      }
      assert.deepEqual(faults, []);
    });
  }
});

test('docs/interop.md is what was found', { skip: Boolean(only.rows) }, async () => {
  const text = report({ rows: ROWS, pairs: PAIRS, dialogues: DIALOGUES, found });
  assert.ok(!(await writeReport(text)), `${REPORT} was not what this run found, and is now: look at it and commit it`);
});
