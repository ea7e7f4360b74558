// Options of http.conf, written into the file and seen by those who ask.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { get as plainGet } from 'node:http';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { Certificates, tls } from '../lib/certificates.mjs';
import { files, STREAM_ECHO } from '../lib/files.mjs';
import { Pebble } from '../lib/pebble.mjs';
import { freePort, startServer, temporaryFolder, until } from '../lib/server.mjs';

let certificates;

before(async () => {
  certificates = await Certificates.make();
  certificates.authority('ca');
  certificates.authority('other');
  certificates.signed('server', 'ca');
  certificates.signed('client', 'ca');
  certificates.signed('stranger', 'other');
});

/** The usual files, with these lines in http.conf. */
async function withHttp(lines, use) {
  const written = (ports) => {
    const all = files(STREAM_ECHO)(ports);
    all['http.conf'] += typeof lines === 'function' ? lines(ports) : lines;
    return all;
  };
  const server = await startServer({ files: written });
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

const ask = (server, path, headers = {}) =>
  new Promise((done, fail) => {
    const request = plainGet({ host: '127.0.0.1', port: server.ports.http, path, headers, agent: false }, async (response) => {
      let text = '';
      for await (const part of response) text += part;
      done({ status: response.statusCode, headers: response.headers, text });
    });
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      done({ status: response.statusCode, headers: response.headers, text: '' });
    });
    request.on('error', fail);
  });

const upgrade = (server, origin) =>
  ask(server, '/ws', {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    Origin: origin,
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol': 'sip',
  });

test('names, origins and the folder of files are those of the file', async () => {
  const folder = await temporaryFolder('static');
  await writeFile(join(folder, 'hello.txt'), 'hello');
  await withHttp('', async (server) => {
    assert.equal((await ask(server, '/', { Host: 'pbx.example.org' })).status, 421);
    assert.equal((await upgrade(server, 'https://phones.example.org')).status, 403);
    assert.equal((await ask(server, '/static/hello.txt')).status, 404);
    assert.equal((await ask(server, '/httpstatus')).status, 404);
    assert.match((await ask(server, '/')).headers.server, /^Sidetone/);
  });
  const lines = `hostnames=pbx.example.org,*.example.net\nservername=Switchboard\nenable_status=yes\nenable_static=yes\nstatic_dir=${folder}
websocket_origins=https://phones.example.org\n`;
  await withHttp(lines, async (server) => {
    for (const Host of ['pbx.example.org', 'a.example.net']) {
      assert.equal((await ask(server, '/', { Host })).status, 200, Host);
    }
    assert.equal((await ask(server, '/', { Host: 'example.com' })).status, 421);
    assert.equal((await upgrade(server, 'https://phones.example.org')).status, 101);
    assert.equal((await upgrade(server, 'https://example.com')).status, 403);
    const file = await ask(server, '/static/hello.txt');
    assert.deepEqual([file.status, file.text, file.headers.server], [200, 'hello', 'Switchboard']);
    const status = await ask(server, '/httpstatus');
    assert.equal(status.status, 200);
    assert.match(status.text, /Switchboard/);
  });
});

const https = (ports, more = '') =>
  `tlsenable=yes\ntlsbindaddr=127.0.0.1:${ports.https}\ntlscertfile=${certificates.path('server.pem')}\ntlsprivatekey=${certificates.path('server.key')}\n${more}`;

const AES256 = 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384';
const AES128 = 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256';
const old = { maxVersion: 'TLSv1.2' };

test('versions and suites of TLS are those of the file', async () => {
  const strong = { ...old, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' };
  const weak = { ...old, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' };
  const weakFirst = { ...old, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384' };
  await withHttp(https, async ({ ports }) => {
    assert.equal((await tls(ports.https, strong)).cipher, AES256);
    assert.equal((await tls(ports.https, weak)).cipher, AES128);
    assert.equal((await tls(ports.https, weakFirst)).cipher, AES256, "the server's order");
    assert.equal((await tls(ports.https)).protocol, 'TLSv1.3');
    const ancient = await tls(ports.https, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    assert.ok(ancient.error, 'TLS 1.1 is never spoken');
  });
  await withHttp((ports) => https(ports, 'tlsservercipherorder=no\n'), async ({ ports }) => {
    assert.equal((await tls(ports.https, weakFirst)).cipher, AES128, "the client's order");
  });
  await withHttp((ports) => https(ports, 'tlscipher=ECDHE-ECDSA-AES256-GCM-SHA384\n'), async ({ ports }) => {
    assert.equal((await tls(ports.https, strong)).cipher, AES256);
    assert.ok((await tls(ports.https, weak)).error);
    assert.equal((await tls(ports.https)).protocol, 'TLSv1.3', 'the list is about TLS 1.2');
  });
  await withHttp((ports) => https(ports, 'tlsdisablev12=yes\n'), async ({ ports }) => {
    assert.ok((await tls(ports.https, old)).error);
    assert.equal((await tls(ports.https)).protocol, 'TLSv1.3');
  });
});

test('the old names of the TLS options are the same options', async () => {
  const lines = (ports) =>
    `sslenable=yes\nsslbindaddr=127.0.0.1:${ports.https}\nsslcert=${certificates.path('server.pem')}\n` +
    `sslprivatekey=${certificates.path('server.key')}\nsslcipher=ECDHE-ECDSA-AES128-GCM-SHA256\n`;
  await withHttp(lines, async ({ ports }) => {
    const { socket, cipher } = await tls(ports.https, old);
    assert.equal(cipher, AES128);
    assert.equal(socket.getPeerCertificate().subject.CN, 'server');
  });
});

test('clients without a certificate of the authorities are turned away where that is written', async () => {
  const folder = join(certificates.folder, 'authorities');
  await mkdir(folder);
  await copyFile(certificates.path('ca.pem'), join(folder, 'ca.pem'));
  const shows = (name) => ({ cert: readFileSync(certificates.path(`${name}.pem`)), key: readFileSync(certificates.path(`${name}.key`)) });
  const probe = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  for (const authorities of [`tlscafile=${certificates.path('ca.pem')}`, `tlscapath=${folder}`]) {
    await withHttp((ports) => https(ports, `tlsverifyclient=yes\n${authorities}\n`), async ({ ports }) => {
      for (const version of ['TLSv1.2', 'TLSv1.3']) {
        const options = { probe, minVersion: version, maxVersion: version };
        const known = await tls(ports.https, { ...options, ...shows('client') });
        assert.match(known.answer ?? known.error, /^HTTP\/1\.1 200/, `${authorities} ${version}`);
        assert.ok((await tls(ports.https, options)).error, 'none');
        assert.ok((await tls(ports.https, { ...options, ...shows('stranger') })).error, "another authority's");
      }
    });
  }
});

test('a certificate comes from the ACME server of the file, proven as it says', async () => {
  for (const challenge of ['http-01', 'tls-alpn-01']) {
    // Pebble comes to ports that are known before the exchange listens there.
    const [http, secure] = [await freePort(), await freePort()];
    const pebble = await Pebble.start(certificates, { http, tls: secure });
    const acme = (email, authority) => (ports) => {
      Object.assign(ports, { http, https: secure });
      const all = files(STREAM_ECHO)(ports);
      all['http.conf'] +=
        `tlsbindaddr=127.0.0.1:${secure}\nacme=yes\nacme_names=pbx.test\nacme_email=${email}\nacme_challenge=${challenge}\n` +
        `acme_directory=${pebble.directory}\nacme_ca_file=${certificates.path(authority)}\n`;
      return all;
    };
    const shown = async () => (await tls(secure, { servername: 'pbx.test' })).socket?.getPeerCertificate().issuer.CN ?? '';
    try {
      // Pebble takes no account whose address cannot be one.
      for (const [email, authority, said] of [
        ['nobody', 'ca.pem', /contact|mail/i],
        ['operator@pbx.test', 'other.pem', /certificate|authority|trust|issuer/i],
      ]) {
        const refused = await startServer({ files: acme(email, authority) });
        const complaint = () => /^.*(WARN|ERROR).*acme.*$/im.exec(refused.log)?.[0];
        assert.match(await until('the refusal', complaint, 15_000), said);
        assert.doesNotMatch(await shown(), /Pebble/);
        await refused.stop();
      }
      const server = await startServer({ files: acme('operator@pbx.test', 'ca.pem') });
      await until('the certificate', async () => /Pebble/.test(await shown()), 15_000);
      await server.stop();
    } finally {
      pebble.stop();
    }
  }
});
