// Starts and ends the real binary; only processes started here are ever signalled.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');
export const BINARY = process.env.SIDETONE_BIN ?? join(ROOT, 'target/debug/sidetone');
const READY_MS_MAX = 15_000;

/**
 * Below those that the kernel hands out (32768 of Linux on), so that no socket of a browser is on one before the program
 * that it is for, and above those of media: in the files of these tests, in Debian's phones and in SIPp.
 */
const PORTS = { first: 24_000, end: 32_000, step: 4 };
let next = PORTS.first + PORTS.step * Math.floor((Math.random() * (PORTS.end - PORTS.first)) / PORTS.step);

/** Whether a socket can be bound: nobody has its port. */
function isFree(socket, bind) {
  return new Promise((done) => {
    socket.once('error', () => {
      socket.close();
      done(false);
    });
    bind(() => socket.close(() => done(true)));
  });
}

/** A port of TCP and UDP that is free, and handed out once; so are the three after it. */
export async function freePort(address = '127.0.0.1') {
  for (;;) {
    const port = next;
    next = port + PORTS.step < PORTS.end ? port + PORTS.step : PORTS.first;
    const [tcp, udp] = [createServer(), createSocket('udp4')];
    const is_free = await Promise.all([isFree(tcp, (done) => tcp.listen(port, address, done)), isFree(udp, (done) => udp.bind(port, address, done))]);
    if (is_free.every(Boolean)) return port;
  }
}

export const temporaryFolder = (name) => mkdtemp(join(tmpdir(), `sidetone-${name}-`));

/**
 * Starts the demo, or a folder of configuration files when `files` ({name: text}) is given.
 * `wrap` puts words before the command (a network namespace); `prefix` is that of http.conf.
 */
export async function startServer({ args = [], files, wrap = [], data, prefix = '' } = {}) {
  const folder = data ?? (await temporaryFolder('data'));
  const ports = { http: await freePort(), https: await freePort(), sip: await freePort() };
  const words = ['--data', folder, ...args];
  if (files) {
    const config = await temporaryFolder('etc');
    for (const [name, text] of Object.entries(files(ports))) await writeFile(join(config, name), text);
    words.unshift('run', '--config', config);
  } else {
    words.push('--http-port', ports.http, '--https-port', ports.https, '--sip-port', ports.sip);
  }
  const command = [...wrap, BINARY, ...words.map(String)];
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  const server = new Server(child, ports, folder, prefix);
  await server.ready();
  return server;
}

/** Runs the binary to its end: {code, stdout, stderr, ms}. */
export async function runToEnd(args, { timeoutMs = 10_000 } = {}) {
  const started = performance.now();
  const child = spawn(BINARY, args.map(String), { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => (output.stdout += text));
  child.stderr.on('data', (text) => (output.stderr += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const code = await new Promise((done) => child.on('close', done));
  clearTimeout(timer);
  return { code, ...output, ms: performance.now() - started };
}

class Server {
  constructor(child, ports, folder, prefix) {
    this.child = child;
    this.ports = ports;
    this.folder = folder;
    this.prefix = prefix;
    this.log = '';
    this.exit = new Promise((done) => child.on('close', (code, signal) => done({ code, signal })));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        this.log += text;
        if (process.env.SIDETONE_LOG) process.stderr.write(text);
      });
    }
  }

  get url() {
    return `http://localhost:${this.ports.http}${this.prefix}/`;
  }

  async ready() {
    const end = performance.now() + READY_MS_MAX;
    while (!/^\s*Open http/m.test(this.log)) {
      if (this.child.exitCode !== null) throw new Error(`the server ended:\n${this.log}`);
      if (performance.now() > end) throw new Error(`the server is not ready:\n${this.log}`);
      await wait(20);
    }
  }

  status() {
    return this.json('/status');
  }

  client() {
    return this.json('/client.json');
  }

  /** A connection for each question: a kept one would count as a socket of the server. */
  json(path) {
    return new Promise((done, fail) => {
      const request = get({ host: 'localhost', port: this.ports.http, path: `${this.prefix}${path}`, agent: false }, async (response) => {
        let text = '';
        for await (const part of response) text += part;
        if (response.statusCode === 200) done(JSON.parse(text));
        else fail(new Error(`${path} answered ${response.statusCode}: ${text}`));
      });
      request.on('error', fail);
    });
  }

  /** What the process holds, seen from outside. */
  async footprint() {
    const files = await readdir(`/proc/${this.child.pid}/fd`);
    const text = await readFile(`/proc/${this.child.pid}/status`, 'utf8');
    return { files: files.length, rss_kib: Number(/VmRSS:\s+(\d+)/.exec(text)[1]) };
  }

  interrupt() {
    this.child.kill('SIGINT');
  }

  async stop() {
    if (this.child.exitCode === null) this.child.kill('SIGINT');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
    const result = await this.exit;
    clearTimeout(timer);
    await rm(this.folder, { recursive: true, force: true });
    return result;
  }
}

const children = new Set();
process.once('exit', () => children.forEach((child) => child.kill('SIGKILL')));

/** A program that does not outlive the tests, however they end. */
export function endsWithUs(child) {
  children.add(child);
  child.once('close', () => children.delete(child));
}

export const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** Polls until `probe` returns something true; fails with `what` after `ms`. */
export async function until(what, probe, ms) {
  const end = performance.now() + ms;
  let last;
  while (performance.now() < end) {
    last = await probe();
    if (last) return last;
    await wait(50);
  }
  throw new Error(`${what} did not happen within ${ms} ms`);
}

/** What a console command prints. */
export async function ask(server, line) {
  const { code, stdout, stderr } = await runToEnd(['exec', '--data', server.folder, ...line.split(' ')]);
  if (code !== 0) throw new Error(`${line}: ${stdout}${stderr}\n${server.log}`);
  return stdout;
}
