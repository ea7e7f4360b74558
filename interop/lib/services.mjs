// What the exchange does for a phone besides its calls: features by digits, pickup, parking, texts.
import { ABSENT, bothEnd, call, hearEachOther, hearsTone, MUSIC_HZ, say } from './matrix.mjs';
import { ask, until, wait } from './server.mjs';

/** With whom they are tried: rows of the matrix, one for each program. */
export const SERVED = [0, 4, 8, 12];

/** An announcement may begin; digits are heard all the same. */
const AFTER_CODE_MS = 500;
/** baresip waits for some seconds after its start. */
const SUBSCRIBES_MS_MAX = 12_000;

/** Calls the other so that digits do something. */
async function callWithFeatures(phone, far, number) {
  await phone.dial(`9${number}`);
  await far.rings().catch(say('ringing'));
  await far.answer();
  await Promise.all([phone.talks(), far.talks()]).catch(say('the answer'));
  await hearEachOther(phone, far);
}

/** As the features of the matrix: [names, what is done]. */
export const SERVICES = [
  [
    ['sees that another talks'],
    async ({ phone, far, third, row, world }, passed) => {
      if (!phone.sees) return passed('sees that another talks', ABSENT);
      const subscribed = async () => (await ask(world.server, 'pjsip show subscriptions inbound')).includes(`Endpoint: ${row.users.phone}/`);
      await until('the subscription', subscribed, SUBSCRIBES_MS_MAX);
      await call(far, third, row.users.third);
      await phone.sees('busy');
      await far.hangUp();
      await bothEnd(far, third);
      await phone.sees('ready');
      passed('sees that another talks');
    },
  ],
  [
    ['transfers by digits (`#`)'],
    async ({ phone, far, third, row }, passed) => {
      await callWithFeatures(phone, far, row.users.far);
      await phone.press('#');
      await wait(AFTER_CODE_MS);
      await phone.press(row.users.third);
      await third.rings().catch(say('the third party'));
      await phone.ends();
      await third.answer();
      await hearEachOther(far, third);
      await far.hangUp();
      await bothEnd(far, third);
      passed('transfers by digits (`#`)');
    },
  ],
  [
    ['transfers by digits, attended (`*2`)'],
    async ({ phone, far, third, row }, passed) => {
      await callWithFeatures(phone, far, row.users.far);
      await phone.press('*2');
      await hearsTone(far, MUSIC_HZ).catch(say('who waits'));
      await phone.press(row.users.third);
      await third.rings().catch(say('the third party'));
      await third.answer();
      await hearEachOther(phone, third).catch(say('the consultation'));
      await phone.hangUp();
      await hearEachOther(far, third);
      await far.hangUp();
      await bothEnd(far, third);
      passed('transfers by digits, attended (`*2`)');
    },
  ],
  [
    ['picks up (`*8`)'],
    async ({ phone, far, third, row }, passed) => {
      await far.dial(row.users.third);
      await third.rings();
      await far.alerted();
      await phone.dial('*8');
      await Promise.all([phone.talks(), far.talks()]);
      await third.ends().catch(say('who rang'));
      await hearEachOther(phone, far);
      phone.hangUp();
      await bothEnd(phone, far);
      passed('picks up (`*8`)');
    },
  ],
  [
    ['parks', 'fetches'],
    async ({ phone, far, row }, passed) => {
      await call(phone, far, row.users.far);
      await phone.transfer(row.park.extension);
      await phone.ends();
      await hearsTone(far, MUSIC_HZ).catch(say('who is parked'));
      passed('parks');
      await phone.forget();
      await phone.dial(row.park.space);
      await phone.talks();
      await hearEachOther(phone, far);
      await far.hangUp();
      await bothEnd(phone, far);
      passed('fetches');
    },
  ],
  [
    ['refuses'],
    async ({ phone, far, row }, passed) => {
      await far.dial(row.users.phone);
      await phone.rings();
      await phone.refuse();
      await bothEnd(phone, far);
      const story = await far.story();
      if (!story.endsWith(phone.refusal ?? 'Busy')) throw new Error(`the caller was told "${story}"`);
      passed('refuses');
    },
  ],
  [
    ['forwards (302)'],
    async ({ phone, far, third, row }, passed) => {
      if (!phone.redirect) return passed('forwards (302)', ABSENT);
      await far.dial(row.users.phone);
      await phone.rings();
      await phone.redirect(row.users.third);
      await third.rings().catch(say('the third party'));
      await third.answer();
      await hearEachOther(far, third);
      await far.hangUp();
      await bothEnd(far, third);
      passed('forwards (302)');
    },
  ],
  [
    ['sends a text', 'gets a text'],
    async ({ phone, far, row }, passed) => {
      if (!phone.text) return ['sends a text', 'gets a text'].forEach((name) => passed(name, ABSENT));
      await phone.text(row.users.far, `from ${row.users.phone}`);
      await far.getsText(`from ${row.users.phone}`);
      passed('sends a text');
      await far.text(row.users.phone, `to ${row.users.phone}`);
      await phone.getsText(`to ${row.users.phone}`);
      passed('gets a text');
    },
  ],
];
