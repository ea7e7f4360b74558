// A machine of its own on this machine: a network namespace with one cable, where the ports that a
// book names are free, and a folder of its own in place of one that a book names.
import { execFile, execFileSync } from 'node:child_process';
import { chmod, mkdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { BINARY, temporaryFolder, until } from './server.mjs';

const AT_REST_MS_MAX = 10_000;

const ip = (...words) => execFileSync('ip', words, { stdio: 'pipe' });

export class Namespace {
  /** `index` keeps the addresses of several apart; `folders` maps a path inside to a folder outside. */
  static async make(index, folders = {}) {
    const made = new Namespace(`sidetone-${index}-${process.pid}`, index, folders);
    await made.open();
    return made;
  }

  constructor(name, index, folders) {
    this.name = name;
    this.folders = folders;
    /** This side of the cable, and the other. */
    const net = `10.${64 + (process.pid % 128)}.${index}`;
    this.outside = `${net}.1`;
    this.inside = `${net}.2`;
    this.cable = `st${index}x${process.pid % 100_000}`;
    this.made = [];
  }

  async open() {
    ip('netns', 'add', this.name);
    const far = `${this.cable}i`;
    ip('link', 'add', this.cable, 'type', 'veth', 'peer', 'name', far, 'netns', this.name);
    ip('addr', 'add', `${this.outside}/24`, 'dev', this.cable);
    ip('link', 'set', this.cable, 'up');
    const within = (...words) => ip('-n', this.name, ...words);
    within('link', 'set', 'lo', 'up');
    // Without a link-local address: it would come to life a second later, and a browser that sees a network
    // change breaks off what it is loading.
    within('link', 'set', far, 'addrgenmode', 'none');
    within('addr', 'add', `${this.inside}/24`, 'dev', far);
    within('link', 'set', far, 'up');
    within('route', 'add', 'default', 'via', this.outside);
    await until('the network at rest', () => this.atRest(far), AT_REST_MS_MAX);
    const mounts = Object.entries(this.folders).map(([path, folder]) => `mount --bind '${folder}' '${path}'`);
    for (const path of Object.keys(this.folders)) if (await mkdir(path, { recursive: true })) this.made.push(path);
    const folder = await temporaryFolder('namespace');
    this.run = join(folder, 'run');
    await writeFile(this.run, `#!/bin/sh\nset -e\n${mounts.join('\n')}\nexec "$@"\n`);
    this.browser = join(folder, 'chromium');
    await writeFile(this.browser, `#!/bin/sh\nexec ${this.wrap.join(' ')} /usr/bin/chromium "$@"\n`);
    for (const script of [this.run, this.browser]) await chmod(script, 0o755);
  }

  /** Whether every link carries and no address is still being tried. */
  atRest(link) {
    const words = ['-n', this.name, '-json', 'addr', 'show'];
    const links = JSON.parse(execFileSync('ip', words, { encoding: 'utf8', stdio: 'pipe' }));
    const addresses = links.flatMap((one) => one.addr_info);
    return links.find((one) => one.ifname === link).operstate === 'UP' && !addresses.some((one) => one.tentative);
  }

  /** Words before a command that make it run inside. */
  get wrap() {
    return ['ip', 'netns', 'exec', this.name, 'unshare', '--mount', '--propagation', 'private', this.run];
  }

  /** Runs a command inside to its end: {code, stdout, stderr}. */
  exec(...words) {
    const [program, ...rest] = [...this.wrap, ...words.map(String)];
    return new Promise((done) => {
      execFile(program, rest, { timeout: 60_000, maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
        done({ code: error ? (error.code ?? 1) : 0, stdout, stderr }),
      );
    });
  }

  /** Runs the exchange's own binary inside. */
  sidetone(...words) {
    return this.exec(BINARY, ...words);
  }

  /** Pulls the cable of everything inside: no packet arrives any more, and nobody is told. */
  cut() {
    ip('-n', this.name, 'link', 'set', 'lo', 'down');
  }

  async close() {
    ip('netns', 'del', this.name);
    for (const path of this.made) await rmdir(path).catch(() => {});
  }
}
