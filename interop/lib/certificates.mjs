// Certificates made with openssl, which knows nothing of the exchange.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { connect } from 'node:tls';

import { temporaryFolder } from './server.mjs';

const openssl = (...words) => execFileSync('openssl', words, { stdio: 'pipe' });
const key = (type, file) => ['-newkey', ...(type === 'rsa' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']), '-nodes', '-keyout', file];

/** A folder with authorities (`NAME.pem`) and what they signed (`NAME.pem`, `NAME.key`). */
export class Certificates {
  static async make() {
    return new Certificates(await temporaryFolder('certificates'));
  }

  constructor(folder) {
    this.folder = folder;
  }

  path(name) {
    return join(this.folder, name);
  }

  authority(name) {
    openssl('req', '-x509', ...key('ec', this.path(`${name}.key`)), '-out', this.path(`${name}.pem`), '-days', '90', '-subj', `/CN=${name}`);
  }

  /** For `names` (subjectAltName, as `DNS:localhost,IP:127.0.0.1`). */
  signed(name, authority, { names = 'DNS:localhost,IP:127.0.0.1', type = 'ec' } = {}) {
    openssl(
      ...['req', '-x509', ...key(type, this.path(`${name}.key`)), '-out', this.path(`${name}.pem`), '-days', '90', '-subj', `/CN=${name}`],
      ...['-addext', `subjectAltName=${names}`, '-addext', 'basicConstraints=critical,CA:FALSE'],
      ...['-CA', this.path(`${authority}.pem`), '-CAkey', this.path(`${authority}.key`)],
    );
  }
}

/**
 * A TLS connection, or why there is none; with `probe`, the answer to it: with TLS 1.3 a server refuses a client only
 * when that one takes the connection for good.
 */
export function tls(port, options = {}) {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    socket.on('error', (error) => done({ error: error.code ?? error.message }));
    socket.on('close', () => done({ error: 'closed' }));
    socket.on('secureConnect', () => {
      const agreed = { socket, cipher: socket.getCipher().standardName, protocol: socket.getProtocol() };
      if (!options.probe) return done(agreed);
      socket.once('data', (bytes) => done({ ...agreed, answer: String(bytes) }));
      socket.write(options.probe);
    });
  });
}
