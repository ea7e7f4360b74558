// The scenario of an Asterisk book's WebRTC chapter, set up as its reader does: his files to the letter,
// his SQL to the letter, on the ports and in the folders that they name.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { startChromium } from './chromium.mjs';
import { Namespace } from './namespace.mjs';
import { BINARY, runToEnd, temporaryFolder, until } from './server.mjs';

const INTEROP = resolve(fileURLToPath(import.meta.url), '../..');
export const CHAPTER = join(INTEROP, 'chapter');
export const SQL = join(INTEROP, '../server/store/tests/conformance/fixtures/realtime.sql');
const CERTS = '/home/asterisk/certs';
const READY_MS_MAX = 20_000;

/** A TCP relay that can be cut and slowed, so that a database goes away and comes back. */
export async function startCable({ from, to }) {
  const pairs = new Set();
  let cut = false;
  let delay_ms = 0;
  const front = createServer((near) => {
    if (cut) return near.destroy();
    const far = createConnection(to);
    const pair = [near, far];
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const [source, sink] of [pair, [far, near]]) {
      source.on('data', (data) => setTimeout(() => sink.destroyed || sink.write(data), delay_ms));
      source.on('error', end);
      source.on('close', end);
    }
  });
  await new Promise((done, fail) => front.once('error', fail).listen({ host: from, port: 0 }, done));
  return {
    port: front.address().port,
    slow: (ms) => (delay_ms = ms),
    cut() {
      cut = true;
      for (const pair of pairs) for (const socket of pair) socket.destroy();
    },
    mend: () => (cut = false),
    close() {
      this.cut();
      front.close();
    },
  };
}

/** The reader's machine, before he has done anything. */
export class Reader {
  static async arrive(index, database) {
    const reader = new Reader();
    reader.home = await temporaryFolder('home');
    reader.etc = await temporaryFolder('etc');
    reader.data = await temporaryFolder('data');
    reader.machine = await Namespace.make(index, { '/home/asterisk': reader.home });
    if (database) {
      const url = new URL(database);
      const to = { host: url.hostname, port: Number(url.port) };
      reader.cable = await startCable({ from: reader.machine.outside, to });
      url.hostname = reader.machine.outside;
      url.port = reader.cable.port;
      await reader.names(url);
    }
    return reader;
  }

  /** Names the database. */
  async names(url) {
    await writeFile(join(this.etc, 'database.conf'), `[database]\nurl = ${url}\n`);
  }

  /** Writes one of the chapter's files, to the letter, under the name the exchange reads. */
  async writes(name, as = name) {
    await cp(join(CHAPTER, name), join(this.etc, as));
  }

  async edits(name, change) {
    const path = join(this.etc, name);
    await writeFile(path, change(await readFile(path, 'utf8')));
  }

  /** Starts the exchange and waits until its console answers. */
  async starts() {
    const words = [...this.machine.wrap, BINARY, 'run', '--config', this.etc, '--data', this.data];
    const child = spawn(words[0], words.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    this.log = '';
    this.child = child;
    this.ended = new Promise((done) => child.on('close', (code, signal) => done({ code, signal })));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        this.log += text;
        if (process.env.SIDETONE_LOG) process.stderr.write(text);
      });
    }
    await until('the console', async () => {
      if (child.exitCode !== null) throw new Error(`the exchange ended:\n${this.log}`);
      return (await this.types('core show version')).startsWith('Sidetone');
    }, READY_MS_MAX);
  }

  async stops() {
    if (this.child && this.child.exitCode === null) {
      this.child.kill('SIGINT');
      const timer = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
      await this.ended;
      clearTimeout(timer);
    }
    this.child = null;
  }

  /** Makes a certificate and its key under the names that the book's files use. */
  async certificate(name) {
    const [cert, key] = ['crt', 'key'].map((ending) => `${CERTS}/${name}.${ending}`);
    const made = await this.machine.sidetone('cert', '--dir', CERTS, '--cert', cert, '--key', key);
    if (made.code !== 0) throw new Error(made.stderr);
    return made;
  }

  /** Types a command at the console; what it prints. */
  async types(command) {
    const { stdout, stderr } = await this.machine.sidetone('-rx', command, '--data', this.data);
    return stdout || stderr;
  }

  /** Runs a subcommand of the binary on the reader's folders. */
  runs(...words) {
    return this.machine.sidetone(...words, '--config', this.etc, '--data', this.data);
  }

  /** Runs JavaScript in a Node inside the machine; what it prints, as JSON. */
  async script(text) {
    const { code, stdout, stderr } = await this.machine.exec(process.execPath, '--input-type=module', '-e', text);
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout || 'null');
  }

  /** One request over HTTP or HTTPS: {status, headers, text}; the path goes out as it is written. */
  fetches(path, { secure = true, headers = {} } = {}) {
    const ask = { host: 'localhost', port: secure ? 8089 : 8088, path, headers, rejectUnauthorized: false };
    return this.script(`
      import { get } from 'node:${secure ? 'https' : 'http'}';
      get(${JSON.stringify(ask)}, async (response) => {
        const certificate = response.socket.getPeerCertificate?.()?.fingerprint256;
        let text = '';
        for await (const part of response) text += part;
        console.log(JSON.stringify({ status: response.statusCode, headers: response.headers, text, certificate }));
      });`);
  }

  async status() {
    return JSON.parse((await this.fetches('/status', { secure: false })).text);
  }

  /** Chromium on the reader's machine; it takes the self-made certificate as he would. */
  async browser(options = {}) {
    return startChromium({ ...options, wrap: this.machine.browser, insecure: true });
  }

  async leaves() {
    await this.stops();
    this.cable?.close();
    await this.machine.close();
    for (const folder of [this.home, this.etc, this.data]) await rm(folder, { recursive: true, force: true });
  }
}

/** The web phone of the chapter, with JsSIP as npm has it, in the folder of static files. */
export async function installWebPhone(folder, jssip) {
  await mkdir(folder, { recursive: true });
  await cp(join(INTEROP, 'pages/web-phone'), folder, { recursive: true });
  await cp(jssip, join(folder, 'jssip.js'));
}

/** Opens the web phone, types an account and presses Connect. */
export async function openWebPhone(browser, user, password) {
  const page = await browser.newPage();
  page.said = [];
  page.on('console', (message) => page.said.push(message.text()));
  await page.goto('https://localhost:8089/cmp2k');
  await page.locator('summary').click();
  await page.fill('#user', user);
  await page.fill('#password', password);
  await page.click('#connect');
  return page;
}

/** Waits until the web phone says `wanted`. */
export async function stateOf(page, wanted, ms = 10_000) {
  let said;
  const says = async () => (said = await page.innerText('#state')).startsWith(wanted);
  await until(`the state ${wanted}`, says, ms).catch((error) => {
    throw new Error(`${error.message}: the phone says "${said}"`);
  });
}

/** The database that the book names, as its reader finds it: without a table. SQLite needs nothing. */
export async function emptyDatabase(url) {
  const folder = await temporaryFolder('empty');
  const file = join(folder, 'empty.sql');
  await writeFile(
    file,
    url.startsWith('mysql')
      ? 'DROP DATABASE IF EXISTS asterisk; CREATE DATABASE asterisk;'
      : 'DROP SCHEMA IF EXISTS asterisk CASCADE;',
  );
  const ran = await runToEnd(['db', 'exec', file, '--database', url, '--data', folder]);
  assert.equal(ran.code, 0, ran.stderr);
  return url;
}
