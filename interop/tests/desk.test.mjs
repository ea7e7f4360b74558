// A desk phone on TCP that closes its connection once it has registered, as many do: it is called where it
// listens, also by an exchange that was started anew meanwhile.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { after, before, test } from 'node:test';

import { deskPhones, PASSWORD } from '../lib/files.mjs';
import { ask, startServer, temporaryFolder, until } from '../lib/server.mjs';

let server;
let phone;
let data;

before(async () => {
  data = await temporaryFolder('desk');
  server = await startServer({ files: deskPhones, data });
  phone = await listeningPhone();
});

after(async () => {
  phone?.close();
  await server?.stop();
});

const md5 = (text) => createHash('md5').update(text).digest('hex');

/** Answers every INVITE with 486; `invites` holds them. */
async function listeningPhone() {
  const invites = [];
  const listener = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const text = String(bytes);
      if (!text.startsWith('INVITE')) return;
      invites.push(text);
      const kept = text.split('\r\n').filter((line) => /^(Via|From|Call-ID|CSeq):/i.test(line));
      const to = text.split('\r\n').find((line) => /^To:/i.test(line));
      socket.write(['SIP/2.0 486 Busy Here', ...kept, `${to};tag=desk`, 'Content-Length: 0', '', ''].join('\r\n'));
    });
  });
  await new Promise((done) => listener.listen(0, '127.0.0.1', done));
  return { invites, port: listener.address().port, close: () => listener.close() };
}

/** REGISTER with digest over a connection that is closed then. */
async function register() {
  const socket = connect(server.ports.sip, '127.0.0.1');
  const registrar = 'sip:127.0.0.1';
  const id = Math.random().toString(36).slice(2);
  const send = (cseq, more = []) =>
    new Promise((done, fail) => {
      socket.once('error', fail);
      socket.once('data', (bytes) => done(String(bytes)));
      const lines = [`REGISTER ${registrar} SIP/2.0`, `Via: SIP/2.0/TCP 127.0.0.1:${phone.port};branch=z9hG4bK${id}${cseq}`];
      lines.push('Max-Forwards: 70', `From: <sip:desk@127.0.0.1>;tag=${id}`, 'To: <sip:desk@127.0.0.1>', `Call-ID: ${id}`, `CSeq: ${cseq} REGISTER`);
      lines.push(`Contact: <sip:desk@127.0.0.1:${phone.port};transport=tcp>`, 'Expires: 600', ...more, 'Content-Length: 0', '', '');
      socket.write(lines.join('\r\n'));
    });
  const challenge = await send(1);
  const [, realm] = /realm="([^"]*)"/.exec(challenge);
  const [, nonce] = /nonce="([^"]*)"/.exec(challenge);
  const [ha1, ha2] = [md5(`desk:${realm}:${PASSWORD}`), md5(`REGISTER:${registrar}`)];
  const response = md5(`${ha1}:${nonce}:00000001:abc:auth:${ha2}`);
  const digest = `Authorization: Digest username="desk", realm="${realm}", nonce="${nonce}", uri="${registrar}", response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="abc"`;
  assert.match(await send(2, [digest]), /^SIP\/2\.0 200 /);
  socket.destroy();
}

async function isCalled() {
  const before = phone.invites.length;
  await ask(server, 'channel originate PJSIP/desk application Echo');
  await until('the INVITE', () => phone.invites.length > before, 5_000);
  const invite = phone.invites.at(-1);
  assert.match(invite, new RegExp(`^INVITE sip:desk@127\\.0\\.0\\.1:${phone.port};transport=tcp SIP/2\\.0\r\n`));
  assert.match(invite, new RegExp(`^Via: SIP/2\\.0/TCP 127\\.0\\.0\\.1:${server.ports.sip};`, 'm'));
}

test('a phone that closed its connection is called where it listens', async () => {
  await register();
  await until('the connection is closed', async () => (await server.status()).sip.streams === 0, 5_000);
  await isCalled();
  await isCalled();
});

test('an exchange that was started anew calls it too', async () => {
  server.interrupt();
  await server.exit;
  server = await startServer({ files: deskPhones, data });
  await isCalled();
});
