// Pebble, Let's Encrypt's own ACME server for tests, and the name server it asks.
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';

import { freePort, until } from './server.mjs';

const reached = (port) =>
  new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => done(true));
    socket.on('error', () => done(false));
    socket.on('close', () => socket.destroy());
  });

export class Pebble {
  /** It comes to these ports for its proofs; its own certificate is `server`, of `ca`. */
  static async start(certificates, { http, tls }) {
    const [api, management, dns, names] = [await freePort(), await freePort(), await freePort(), await freePort()];
    const pebble = {
      listenAddress: `127.0.0.1:${api}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: certificates.path('server.pem'),
      privateKey: certificates.path('server.key'),
      httpPort: http,
      tlsPort: tls,
      externalAccountBindingRequired: false,
      certificateValidityPeriod: 3_600,
    };
    const config = certificates.path(`pebble-${api}.json`);
    await writeFile(config, JSON.stringify({ pebble }));
    const made = new Pebble(`https://127.0.0.1:${api}/dir`);
    const ipv4 = ['-defaultIPv4', '127.0.0.1', '-defaultIPv6', '', '-http01', '', '-https01', '', '-tlsalpn01', ''];
    made.run('pebble-challtestsrv', [...ipv4, '-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${names}`]);
    made.run('pebble', ['-config', config, '-dnsserver', `127.0.0.1:${dns}`]);
    await until('Pebble', () => reached(api), 10_000);
    return made;
  }

  constructor(directory) {
    this.directory = directory;
    this.children = [];
  }

  run(program, words) {
    const env = { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' };
    this.children.push(spawn(program, words, { stdio: 'ignore', env }));
  }

  stop() {
    for (const child of this.children) child.kill('SIGKILL');
  }
}
