// Database servers that a test starts itself, to stop, kill and restart them as it likes: data folder,
// port and password of their own, as an unprivileged user, gone when the test ends.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { freePort, temporaryFolder, until } from './server.mjs';

const USER = 'sidetone';
const PASSWORD = 'conformance';
const READY_MS_MAX = 60_000;

/** A server under the test's thumb. */
class DatabaseServer {
  constructor(folder, account, words, url, answers) {
    Object.assign(this, { folder, account, words, url, answers });
    this.data = join(folder, 'data');
  }

  /** Starts it, on the same port and data each time, and waits until it answers. */
  async starts() {
    const [program, ...rest] = this.account.wrap(this.words);
    this.log = '';
    const child = spawn(program, rest, { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (this.log += text));
    this.child = child;
    this.ended = new Promise((done) => child.once('close', done));
    await until('an answer of the database', () => {
      if (child.exitCode !== null) throw new Error(`the database ended:\n${this.log}`);
      return this.answers();
    }, READY_MS_MAX);
  }

  /** It and every process of its own: PostgreSQL has one for each connection. */
  signals(signal) {
    for (const pid of [this.child.pid, ...childrenOf(this.child.pid)]) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    }
  }

  /** Stands still: connections stay open, and nothing is answered. */
  freezes() {
    this.signals('SIGSTOP');
  }

  thaws() {
    this.signals('SIGCONT');
  }

  /** Gone at once, without a word to anybody. */
  async dies() {
    this.signals('SIGKILL');
    await this.ended;
  }

  async leaves() {
    if (this.child) await this.dies();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** What a question yields, a line for each row. */
  lines(sql) {
    return this.asks(sql).split('\n').filter(Boolean);
  }
}

/** Who the server runs as: PostgreSQL refuses to run as root, and MariaDB should. */
class Account {
  constructor(name) {
    if (process.getuid() !== 0) return;
    const id = (which) => Number(execFileSync('id', [which, name]));
    this.ids = { user: id('-u'), group: id('-g') };
  }

  /** The words run as this user, and end when the test does, however that happens. */
  wrap(words) {
    const wrapped = ['setpriv', '--pdeathsig', 'KILL'];
    if (this.ids) wrapped.push(`--reuid=${this.ids.user}`, `--regid=${this.ids.group}`, '--clear-groups');
    return [...wrapped, ...words];
  }

  owns(path) {
    if (this.ids) chownSync(path, this.ids.user, this.ids.group);
  }

  runs(...words) {
    const [program, ...rest] = this.wrap(words);
    execFileSync(program, rest, { cwd: '/', stdio: 'pipe' });
  }
}

/** Whether the programs are here; `cargo xtask test` installs them. */
export const hasMariaDb = () => ['/usr/sbin/mariadbd', '/usr/bin/mariadb-install-db'].every(existsSync);
export const hasPostgres = () => postgresPrograms() !== undefined;

/** MariaDB on this address. */
export async function startMariaDb(address) {
  const account = new Account('mysql');
  const folder = await folderFor('mariadb', account);
  const data = join(folder, 'data');
  const socket = join(folder, 'socket');
  account.runs(
    'mariadb-install-db', '--no-defaults', `--datadir=${data}`,
    '--auth-root-authentication-method=normal', '--skip-test-db',
  );
  const port = await freePort(address);
  const words = [
    'mariadbd', '--no-defaults', `--datadir=${data}`, `--socket=${socket}`, `--port=${port}`,
    `--pid-file=${join(folder, 'pid')}`, `--bind-address=${address}`, '--innodb-buffer-pool-size=64M',
    '--skip-log-bin', '--performance-schema=OFF',
    // What is acknowledged outlives the process, as it must; it need not outlive the machine.
    '--innodb-flush-log-at-trx-commit=2',
  ];
  const client = ['--no-defaults', '--user=root', `--socket=${socket}`, '-N', '-e'];
  const asks = (sql) => execFileSync('mariadb', [...client, sql], { encoding: 'utf8', stdio: 'pipe' });
  const url = `mysql://${USER}:${PASSWORD}@${address}:${port}/asterisk`;
  const server = new DatabaseServer(folder, account, words, url, () => succeeds(() => asks('SELECT 1')));
  server.asks = asks;
  return started(server, () => {
    asks(`CREATE USER '${USER}'@'%' IDENTIFIED BY '${PASSWORD}'`);
    asks(`GRANT ALL ON *.* TO '${USER}'@'%'; CREATE DATABASE asterisk`);
  });
}

/** PostgreSQL on this address. */
export async function startPostgres(address) {
  const account = new Account('postgres');
  const folder = await folderFor('postgres', account);
  const data = join(folder, 'data');
  const programs = postgresPrograms();
  const password = join(folder, 'password');
  writeFileSync(password, PASSWORD);
  account.owns(password);
  account.runs(
    join(programs, 'initdb'), `--pgdata=${data}`, `--username=${USER}`, `--pwfile=${password}`,
    '--auth=scram-sha-256', '--encoding=UTF8', '--no-locale', '--no-sync',
  );
  writeFileSync(join(data, 'pg_hba.conf'), `local all all scram-sha-256\nhost all all ${address}/24 scram-sha-256\n`);
  const port = await freePort(address);
  const words = [
    join(programs, 'postgres'), '-D', data, '-k', folder, '-p', port, '-c', `listen_addresses=${address}`,
    // What is acknowledged outlives the process, as it must; it need not outlive the machine.
    '-c', 'fsync=off',
  ].map(String);
  const urlOf = (database) => `postgres://${USER}:${PASSWORD}@${address}:${port}/${database}`;
  const psql = (database, sql) =>
    execFileSync(join(programs, 'psql'), [urlOf(database), '-XAtc', sql], { encoding: 'utf8', stdio: 'pipe' });
  const answers = () => succeeds(() => psql('postgres', 'SELECT 1'));
  const server = new DatabaseServer(folder, account, words, urlOf('asterisk'), answers);
  server.asks = (sql) => psql('asterisk', sql);
  return started(server, () => psql('postgres', 'CREATE DATABASE asterisk'));
}

async function started(server, prepare) {
  try {
    await server.starts();
    prepare();
    return server;
  } catch (error) {
    await server.leaves();
    throw error;
  }
}

async function folderFor(name, account) {
  const folder = await temporaryFolder(name);
  // The server's user must get into it.
  chmodSync(folder, 0o755);
  account.owns(folder);
  mkdirSync(join(folder, 'data'), { mode: 0o700 });
  account.owns(join(folder, 'data'));
  return folder;
}

function succeeds(attempt) {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}

function childrenOf(pid) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        // After the name in brackets: the state, then the parent.
        return Number(readFileSync(`/proc/${name}/stat`, 'utf8').replace(/.*\) /s, '').split(' ')[1]) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Debian keeps PostgreSQL's programs out of the path, by version; the newest one. */
function postgresPrograms() {
  const folder = '/usr/lib/postgresql';
  if (!existsSync(folder)) return undefined;
  const versions = readdirSync(folder).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(folder, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')));
}
