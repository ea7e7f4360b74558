// The product's own page, driven as a person drives it.
import { until } from './server.mjs';
import { callAndTime, receivedVideo } from './page.mjs';

/** Opens the page and waits until it is registered (the demo account registers by itself). */
export async function openPage(context, server, { query = '', account } = {}) {
  const page = await context.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  await page.goto(`${server.url}${query}`);
  if (account) await signIn(page, account);
  await registered(page);
  return page;
}

export async function signIn(page, { user, password }) {
  await page.getByTestId('user').fill(user);
  await page.getByTestId('password').fill(password);
  await page.getByTestId('connect').click();
}

export const registered = (page) =>
  until('registration', () => page.evaluate(() => window.__sidetone?.state.connection === 'online'), 10_000);

export const call = (page, { number = '246', count = 4, limit_ms = 5_000 } = {}) =>
  page.evaluate(callAndTime, { number, count, limit_ms });

/** The received streams, as soon as the browser's statistics have `count` of them: they lag behind the pictures. */
export const streams = (page, count = 4) =>
  until(
    `statistics of ${count} streams`,
    async () => {
      const found = await page.evaluate(receivedVideo);
      return found.length >= count && found.every(({ mid }) => mid) ? found : null;
    },
    1_000,
  );

export const hangUp = async (page) => {
  await page.getByTestId('hangup').click();
  await until('the end of the call', () => page.evaluate(() => window.__sidetone.pc() === null), 5_000);
};

/** Waits until nothing of a call is left in the server. */
export const idle = (server, ms) =>
  until(
    'an idle server',
    async () => {
      const { counts } = await server.status();
      return counts.channels === 0 && counts.legs === 0 ? counts : null;
    },
    ms,
  );
