// Calls by SIPp, whose sound is tones of this program, through one exchange: as many at once as two cores have time for.
// `node --test --test-name-pattern=glare` tries some alone.
import { after, before, describe, test } from 'node:test';

import { Stage } from '../lib/stage.mjs';
import { AUTH } from '../sipp/auth.mjs';
import { CHANGES } from '../sipp/changes.mjs';
import { DIGITS } from '../sipp/digits.mjs';
import { FORKS } from '../sipp/forks.mjs';
import { SLOW, TIMERS } from '../sipp/timers.mjs';
import { TRANSFERS } from '../sipp/transfers.mjs';
import { TRUNK } from '../sipp/trunk.mjs';

const AT_ONCE = 8;
const SUITE_MS_MAX = 200_000;
/** These over TCP too. Not REFER: SIPp answers the last alone of two requests that it reads at once, and TCP repeats neither. */
const STREAMED = [
  [FORKS, 'two endpoints ring: who loses is told where it was answered'],
  [FORKS, 'the caller gives up while it rings'],
  [CHANGES, 'a re-INVITE moves the sound to another address'],
  [CHANGES, 'PRACK both ways: sound before the answer, and after it'],
  [CHANGES, 'glare of two re-INVITEs where the exchange called: it waits 2.1 to 4 s'],
];
const streamed = Object.fromEntries(STREAMED.map(([scenes, title]) => [`TCP: ${title}`, { ...scenes[title], transport: 'tcp' }]));
const SCENES = { ...SLOW, ...TRUNK, ...AUTH, ...FORKS, ...CHANGES, ...TIMERS, ...TRANSFERS, ...DIGITS, ...streamed };

const world = {};

before(async () => {
  world.stage = await Stage.open(SCENES);
});

after(() => world.stage?.close());

describe('calls', { concurrency: AT_ONCE, timeout: SUITE_MS_MAX }, () => {
  for (const [index, title] of Object.keys(SCENES).entries()) {
    test(title, () => world.stage.scenes[index].perform());
  }
});

test('no call is left', () => world.stage.idle());
