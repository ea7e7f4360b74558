// The founding scenario, row by row, as the reader of an Asterisk book's WebRTC chapter walks through it:
// his files and his SQL to the letter, on each database. What he types is typed, what he must see is
// looked for.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { chmod, cp, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { emptyDatabase, installWebPhone, openWebPhone, Reader, SQL, stateOf } from '../lib/chapter.mjs';
import { loudestTone, pictures, receivedVideo } from '../lib/page.mjs';
import { until, wait } from '../lib/server.mjs';

const JSSIP = join(dirname(createRequire(import.meta.url).resolve('jssip/package.json')), 'dist/jssip.js');
const TONE_HZ = 440;
/** Dead media or a dead socket must be noticed within this. */
const FREED_MS_MAX = 35_000;

const DATABASES = [
  ['SQLite', null],
  ['MariaDB', process.env.SIDETONE_TEST_MYSQL],
  ['PostgreSQL', process.env.SIDETONE_TEST_POSTGRES],
];

for (const [index, [name, url]] of DATABASES.entries()) {
  const missing = url === undefined && 'no such server: run it by `cargo xtask test`, which starts one';
  test(`the chapter on ${name}`, { skip: missing, timeout: 240_000 }, async (t) => {
    const reader = await Reader.arrive(index + 1, url && (await emptyDatabase(url)));
    let failed = false;
    // Each row stands on those before it.
    const step = (title, run) =>
      t.test(title, { skip: failed && 'an earlier row failed' }, async () => {
        failed = true;
        await run();
        failed = false;
      });
    try {
      await walk(reader, step);
    } finally {
      await reader.leaves();
    }
  });
}

async function walk(reader, step) {
  let browser;
  let phone;
  const fingerprint = async () => (await reader.fetches('/status')).certificate;

  await step('1: a certificate made by a command', async () => {
    const made = await reader.certificate('self-signed');
    assert.match(made.stdout, /trust/i);
    const key = join(reader.home, 'certs/self-signed.key');
    assert.equal((await stat(key)).mode & 0o777, 0o600);
    assert.match(await readFile(join(reader.home, 'certs/self-signed.crt'), 'utf8'), /BEGIN CERTIFICATE/);
    assert.match(await readFile(key, 'utf8'), /BEGIN PRIVATE KEY/);
  });

  await step('2: transports udp and tls on their default ports', async () => {
    await reader.writes('pjsip.conf');
    await reader.writes('extensions.conf');
    await reader.starts();
    const transports = await reader.types('pjsip show transports');
    assert.match(transports, /transport-udp +udp +\d+ +\d+ +0\.0\.0\.0:5060/);
    assert.match(transports, /transport-tls +tls +\d+ +\d+ +0\.0\.0\.0:5061/);
    const listening = await reader.script(`
      import { connect } from 'node:tls';
      const socket = connect({ port: 5061, rejectUnauthorized: false }, () => {
        console.log(JSON.stringify(socket.getPeerCertificate().subject));
        socket.destroy();
      });`);
    assert.ok(listening);
  });

  await step('2: a missing certificate is named, the other transports start', async () => {
    await reader.stops();
    await cp(join(reader.home, 'certs'), join(reader.home, 'kept'), { recursive: true });
    await chmod(join(reader.home, 'kept/self-signed.key'), 0o600);
    await writeFile(join(reader.home, 'certs/self-signed.key'), 'no key\n');
    await reader.starts();
    assert.match(reader.log, /pjsip\.conf.*self-signed\.key/s);
    assert.match(await reader.types('pjsip show transports'), /transport-udp/);
    await reader.stops();
    await cp(join(reader.home, 'kept'), join(reader.home, 'certs'), { recursive: true });
    await reader.starts();
  });

  await step('3: the SQL to the letter, two endpoints, no restart', async () => {
    const init = await reader.runs('db', 'init');
    assert.equal(init.code, 0, init.stderr);
    const ran = await reader.runs('db', 'exec', SQL);
    assert.equal(ran.code, 0, ran.stderr);
    const endpoints = await until('both endpoints', async () => {
      const text = await reader.types('pjsip show endpoints');
      return /WS_PHONE_A/.test(text) && /WS_PHONE_B/.test(text) && text;
    }, 3_000);
    assert.match(endpoints, /InAuth: +WS_PHONE_A\/WS_PHONE_A/);
  });

  await step('3a: the slip in the SQL is told once, with the cure', async () => {
    const shown = await reader.types('pjsip show endpoint WS_PHONE_A');
    assert.match(shown, /transporttls/);
    const warnings = () => reader.log.match(/transporttls.*transport-tls/g) ?? [];
    assert.equal(warnings().length, 1, reader.log);
    await reader.types('pjsip show endpoint WS_PHONE_A');
    assert.equal(warnings().length, 1, 'said again');
    const checked = await reader.machine.sidetone('check', reader.etc, '--data', reader.data);
    assert.match(checked.stdout + checked.stderr, /transporttls.*transport-tls/s);
  });

  await step('4 and 5: http.conf, and what the console says of it', async () => {
    await reader.writes('http.conf');
    await reader.stops();
    await reader.starts();
    const shown = await reader.types('http show status');
    const lines = shown.split('\n').map((line) => line.trim());
    assert.match(lines[0], /^HTTP Server Status:$/);
    assert.ok(lines.includes('Server Enabled and Bound to 0.0.0.0:8088'), shown);
    assert.ok(lines.includes('HTTPS Server Enabled and Bound to 0.0.0.0:8089'), shown);
    assert.ok(lines.includes("Enabled URI's:"), shown);
    assert.ok(lines.some((line) => line.startsWith('/ws =>')), shown);
  });

  await step('6: the firewall lines for the ports in use', async () => {
    const doctor = await reader.runs('doctor');
    for (const port of ['5060/udp', '5061/tcp', '8088/tcp', '8089/tcp']) {
      assert.ok(doctor.stdout.includes(port), `${port} in:\n${doctor.stdout}`);
    }
    for (const tool of ['firewall-cmd', 'ufw allow', 'nft insert rule']) {
      assert.ok(doctor.stdout.includes(tool), `${tool} in:\n${doctor.stdout}`);
    }
  });

  await step('7: /ws in a browser', async () => {
    const answer = await reader.fetches('/ws');
    assert.equal(answer.status, 426);
    assert.equal(answer.headers.upgrade?.toLowerCase(), 'websocket');
    browser = await reader.browser({ tone_hz: TONE_HZ });
    const page = await browser.newPage();
    const response = await page.goto('https://localhost:8089/ws');
    assert.equal(response.status(), 426);
    assert.match(await page.locator('body').innerText(), /WebSocket/);
    await page.close();
  });

  await step('8: the dial plan as Asterisk shows it, and an edit of it', async () => {
    const shown = await reader.types('dialplan show sets');
    assert.match(shown, /\[ Context 'sets' created by 'pbx_config' \]/);
    assert.match(shown, /'246' => +1\. Noop\(\)/);
    for (const [priority, call] of ['Answer()', 'Wait(0.5)', 'StreamEcho(4)', 'Hangup()'].entries()) {
      assert.ok(shown.includes(`${priority + 2}. ${call}`), shown);
    }
    await reader.edits('extensions.conf', (text) => `${text}exten => 999,1,Hangup()\n`);
    await reader.types('dialplan reload');
    assert.match(await reader.types('dialplan show 999@sets'), /1\. Hangup\(\)/);
  });

  await step('9: a web phone of static files, a redirect, another certificate', async () => {
    const folder = join(reader.data, 'static-http/cyber_mega_phone_2k');
    await installWebPhone(folder, JSSIP);
    await mkdir(join(folder, '.git'));
    await writeFile(join(folder, '.git/config'), 'secret');
    await writeFile(join(reader.data, 'secret'), 'secret');
    await reader.certificate('asterisk');
    const before = await fingerprint();
    await reader.writes('http-static.conf', 'http.conf');
    const said = await reader.types('module reload http');
    assert.match(said, /asterisk\.crt|redirect|certificate/i, said);
    assert.notEqual(await fingerprint(), before, 'new connections have the new certificate');
    const redirect = await reader.fetches('/cmp2k');
    assert.ok([301, 302, 303, 307, 308].includes(redirect.status));
    assert.equal(redirect.headers.location, '/static/cyber_mega_phone_2k/index.html');
    for (const [path, type] of [
      ['index.html', 'text/html'],
      ['phone.js', 'text/javascript'],
    ]) {
      const file = await reader.fetches(`/static/cyber_mega_phone_2k/${path}`);
      assert.equal(file.status, 200);
      assert.ok(file.headers['content-type'].startsWith(type), file.headers['content-type']);
    }
    for (const path of [
      '/static/cyber_mega_phone_2k/.git/config',
      '/static/cyber_mega_phone_2k/%2egit/config',
      '/static/../secret',
      '/static/%2e%2e/secret',
      '/static/cyber_mega_phone_2k/..%2f..%2f..%2fsecret',
    ]) {
      const answer = await reader.fetches(path);
      assert.notEqual(answer.status, 200, path);
      assert.doesNotMatch(answer.text, /secret/, path);
    }
  });

  await step('9: a bad file leaves the old state in force and says why', async () => {
    const inForce = await fingerprint();
    await reader.edits('http.conf', (text) => text.replace('enabled=yes', 'enabled=perhaps'));
    assert.match(await reader.types('module reload http'), /http\.conf:2:\d+/);
    assert.equal((await reader.fetches('/cmp2k')).status, (await reader.fetches('/cmp2k')).status);
    assert.equal(await fingerprint(), inForce);
    await reader.writes('http-static.conf', 'http.conf');
    await reader.edits('http.conf', (text) => text.replace('asterisk.key', 'nowhere.key'));
    assert.match(await reader.types('module reload http'), /nowhere\.key/);
    assert.equal(await fingerprint(), inForce);
    await reader.writes('http-static.conf', 'http.conf');
    await reader.types('module reload http');
  });

  const open = (user, password) => openWebPhone(browser, user, password);

  await step('10: an account registers, a wrong password does not', async () => {
    phone = await open('WS_PHONE_A', 'spiderwrench');
    await stateOf(phone, 'registered');
    assert.match(await phone.evaluate(() => window.contact), /<sip:[^>]+>.*;expires=\d+/);
    const sent = phone.said.join('\n');
    assert.equal((sent.match(/SIP\/2\.0 401/g) ?? []).length, 1, 'one challenge');
    assert.match(sent, /algorithm=MD5/i);
    assert.match(await reader.types('pjsip show contacts'), /WS_PHONE_A\/sip:/);
    const refusedBefore = (await reader.status()).sip.failed_auths;
    const wrong = await open('WS_PHONE_B', 'spiderwrench');
    await stateOf(wrong, 'refused: 40');
    assert.match(reader.log, /WS_PHONE_B.*127\.0\.0\.1|127\.0\.0\.1.*WS_PHONE_B/);
    assert.ok((await reader.status()).sip.failed_auths > refusedBefore);
    await wrong.close();
  });

  /** Calls 246 and proves `count` pictures and the tone. */
  const call246 = async (count) => {
    await phone.click('#call');
    await stateOf(phone, 'in a call');
    let shown;
    const isShown = async () => (shown = await phone.locator('#pictures video').count()) === count;
    await until(`${count} pictures`, isShown, 8_000).catch((error) => {
      throw new Error(`${error.message}: there are ${shown}\n${phone.said.join('\n')}\n${reader.log}`);
    });
    const lit = async () => (await phone.evaluate(pictures)).every((picture) => picture.light > 0);
    await until('light in every picture', lit, 5_000);
    const [first, before] = [await phone.evaluate(pictures), await phone.evaluate(receivedVideo)];
    await wait(1_500);
    const [second, after] = [await phone.evaluate(pictures), await phone.evaluate(receivedVideo)];
    assert.equal(second.length, count);
    for (const [at, picture] of second.entries()) {
      assert.notEqual(picture.sum, first[at].sum, `picture ${at} moves`);
    }
    assert.equal(after.length, count - 1);
    for (const stream of after) {
      const frames = stream.frames - (before.find((one) => one.ssrc === stream.ssrc)?.frames ?? 0);
      assert.ok(frames >= 10, `mid ${stream.mid} decoded ${frames} frames in 1.5 s`);
    }
    const tone = await phone.evaluate(loudestTone, { ms: 1_200 });
    assert.ok(Math.abs(tone.hz - TONE_HZ) < 5, `heard ${tone.hz} Hz`);
  };

  await step('11: 246 with max_video_streams unset: two pictures, and why', async () => {
    await call246(2);
    assert.match(reader.log, /StreamEcho\(4\).*max_video_streams=1/);
    assert.match(await reader.types('core show channels'), /StreamEcho/);
  });

  await step('12: BYE ends it', async () => {
    await phone.click('#hangup');
    await stateOf(phone, 'registered');
    await idle(reader, 3_000);
  });

  await step('11: with max_video_streams=4, five pictures, no reload', async () => {
    const sql = join(reader.etc, 'streams.sql');
    await writeFile(sql, "UPDATE asterisk.ps_endpoints SET max_video_streams=4 WHERE id='WS_PHONE_A';\n");
    const ran = await reader.runs('db', 'exec', sql);
    assert.equal(ran.code, 0, ran.stderr);
    await wait(1_100);
    await call246(5);
    await phone.click('#hangup');
    await stateOf(phone, 'registered');
  });

  await step('3a: a call to each endpoint arrives over the socket it registered from', async () => {
    const other = await open('WS_PHONE_B', 'arachnoratchet');
    await stateOf(other, 'registered');
    for (const [endpoint, page] of [
      ['WS_PHONE_A', phone],
      ['WS_PHONE_B', other],
    ]) {
      await reader.types(`channel originate PJSIP/${endpoint} application Echo`);
      await stateOf(page, 'in a call');
      await until('decoded frames', async () => (await page.evaluate(receivedVideo)).some((s) => s.frames > 10), 8_000);
      await page.click('#hangup');
      await stateOf(page, 'registered');
    }
    await other.close();
  });

  await step('12: a closed tab and a pulled cable leave nothing', async () => {
    await call246(5);
    await phone.close();
    await idle(reader, FREED_MS_MAX);
    const { counts } = await reader.status();
    assert.equal(counts.bindings, 0);
    phone = await open('WS_PHONE_A', 'spiderwrench');
    await stateOf(phone, 'registered');
    await phone.click('#call');
    await stateOf(phone, 'in a call');
    await reader.machine.cut();
    await idle(reader, FREED_MS_MAX);
    await browser.close();
    browser = null;
  });
  await browser?.close();
}

/** Waits until nothing of a call is left. */
const idle = (reader, ms) =>
  until('an idle exchange', async () => {
    const shown = await reader.types('core show channels count');
    return /^0 active channels/m.test(shown);
  }, ms);
