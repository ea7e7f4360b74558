// Phones, browsers and trunks with every feature that they have: each change of a call is proven by the tone of the other
// side, in both directions. What was found is written into docs/interop.md.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { Certificates } from '../lib/certificates.mjs';
import { startChromium } from '../lib/chromium.mjs';
import { BETWEEN, startExchanges } from '../lib/exchanges.mjs';
import { PASSWORD } from '../lib/files.mjs';
import { files, MUSIC_HZ, PAIRS, ROWS, startRow, tryFeatures, tryPair } from '../lib/matrix.mjs';
import { REPORT, report, writeReport } from '../lib/report.mjs';
import { freePort, startServer, temporaryFolder } from '../lib/server.mjs';
import { SERVED, SERVICES } from '../lib/services.mjs';
import { sipjsPage } from '../lib/sipjs.mjs';
import { Softphone, softphonePage } from '../lib/softphone.mjs';
import { sine } from '../lib/sound.mjs';
import { DIALOGUES, trunks, tryDialogue } from '../lib/trunks.mjs';

/** Calls at once: two cores have time for these. */
const AT_ONCE = 6;
const TEST_MS_MAX = 220_000;
const SUITE_MS_MAX = 600_000;
/** Some of the rows alone, while somebody looks for a fault; then nothing is written. */
const only = process.env.MATRIX_ROWS?.split(',');
const wanted = (name) => !only || only.includes(String(name));

const world = {};
const parties = [];
const found = { phones: [], services: [], pairs: [], trunks: [], between: {} };

before(async () => {
  const certificates = await Certificates.make();
  certificates.authority('authority');
  certificates.signed('server', 'authority');
  world.certificates = certificates;
  world.music = await temporaryFolder('music');
  await writeFile(join(world.music, 'tone.wav'), sine(MUSIC_HZ, 2, 8_000));
  world.tls = { port: await freePort(), certificate: certificates.path('server.pem'), key: certificates.path('server.key') };
  world.trunks = await trunks();
  world.server = await startServer({ files: files(world.tls, world.trunks, world.music) });
  world.browser = await startChromium({ unasked: true, insecure: true });
  world.pages = {
    ws: await softphonePage(world.browser, world.server.url),
    wss: await softphonePage(world.browser, `https://localhost:${world.server.ports.https}/`),
    sipjs: await sipjsPage(world.browser, world.server.url),
  };
});

after(async () => {
  await Promise.all(parties.map((row) => row?.phone.stop()));
  await world.between?.phone.stop();
  await world.browser?.close();
  await Promise.all([world.server, ...(world.between?.servers ?? [])].map((server) => server?.stop()));
});

async function tryRow(index) {
  found.phones[index] = {};
  parties[index] = await startRow(ROWS[index], world);
  const { cells, faults } = await tryFeatures(parties[index]);
  found.phones[index] = cells;
  if (SERVED.includes(index)) {
    const more = await tryFeatures(parties[index], SERVICES);
    found.services[SERVED.indexOf(index)] = more.cells;
    faults.push(...more.faults);
  }
  assert.deepEqual(faults, []);
}

async function tryTrunk(index) {
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
}

async function tryExchanges() {
  world.between = await startExchanges(world);
  const { cells, faults } = await tryFeatures({ ...world.between, third: world.between.far }, BETWEEN);
  found.between = cells;
  assert.deepEqual(faults, []);
}

// Those that take longest begin first.
const longest = (index) => (SERVED.includes(index) ? 2 : 0) + (ROWS[index].peer === 'linphone' ? 1 : 0);
const order = [...ROWS.keys()].sort((one, other) => longest(other) - longest(one));

describe('phones', { concurrency: AT_ONCE, timeout: SUITE_MS_MAX }, () => {
  for (const index of order) {
    const { peer, transport, security, codec } = ROWS[index];
    const name = `${index + 1}: ${peer} over ${transport}, ${security}, ${codec}`;
    test(name, { skip: !wanted(index + 1), timeout: TEST_MS_MAX }, () => tryRow(index));
  }
  test('two exchanges', { skip: !wanted('exchanges'), timeout: TEST_MS_MAX }, tryExchanges);
});

// By themselves: the pauses of SIPp are not longer where the machine is slow.
describe('trunks', { concurrency: true }, () => {
  for (const index of [0, 1]) {
    test(`SIPp over ${['UDP', 'TCP'][index]}`, { skip: !wanted('trunks'), timeout: TEST_MS_MAX }, () => tryTrunk(index));
  }
});

describe('phones call each other', { concurrency: AT_ONCE }, () => {
  for (const [index, [caller, callee]] of PAIRS.entries()) {
    test(`${caller + 1} calls ${callee + 1}`, { skip: Boolean(only) }, async () => {
      found.pairs[index] = 'fail';
      await tryPair(parties[caller], parties[callee]);
      found.pairs[index] = 'pass';
    });
  }
});

test('docs/interop.md is what was found', { skip: Boolean(only) }, async () => {
  const text = report({ rows: ROWS, served: SERVED, pairs: PAIRS, dialogues: DIALOGUES, found });
  assert.ok(!(await writeReport(text)), `${REPORT} was not what this run found, and is now: look at it and commit it`);
});
