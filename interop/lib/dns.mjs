// A name server of a few names, and what makes a program ask it: a resolv.conf of its own.
import { createSocket } from 'node:dgram';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { temporaryFolder } from './server.mjs';

const PORT = 53;
const TYPES = { 1: 'A', 33: 'SRV' };
const TTL_S = 60;
const [NO_ERROR, NO_NAME] = [0, 3];
const HEAD_BYTES = 12;

/** Names of the tests alone are known: {name: {A: [ip], SRV: [[priority, weight, port, target]]}}. */
export class NameServer {
  static async start(names) {
    const server = new NameServer();
    Object.assign(server, { names, socket: createSocket('udp4'), ip: `127.21.${process.pid & 255}.${((process.pid >> 8) & 127) + 1}` });
    server.socket.on('message', (query, { port, address }) => server.socket.send(server.answer(query), port, address));
    await new Promise((done, fail) => server.socket.once('error', fail).bind(PORT, server.ip, done));
    server.file = join(await temporaryFolder('names'), 'resolv.conf');
    await writeFile(server.file, `nameserver ${server.ip}\n`);
    return server;
  }

  /** The words before a command that is to ask it: it sees this file in place of the machine's. */
  get wrap() {
    return ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"', this.file];
  }

  close() {
    this.socket.close();
  }

  answer(query) {
    const labels = [];
    let at = HEAD_BYTES;
    for (; query[at] > 0; at += query[at] + 1) labels.push(String(query.subarray(at + 1, at + 1 + query[at])));
    const question = query.subarray(HEAD_BYTES, at + 5);
    const known = this.names[labels.join('.').toLowerCase()];
    const type = TYPES[query.readUInt16BE(at + 1)];
    const found = known?.[type] ?? [];
    const head = Buffer.alloc(HEAD_BYTES);
    query.copy(head, 0, 0, 2);
    // An answer, with authority; recursion was asked for and is there.
    head.writeUInt16BE(0x8580 | (known ? NO_ERROR : NO_NAME), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(found.length, 6);
    return Buffer.concat([head, question, ...found.map((data) => record(query.readUInt16BE(at + 1), type === 'A' ? address(data) : service(data)))]);
  }
}

/** A record of the name that was asked for. */
function record(type, data) {
  const head = Buffer.alloc(HEAD_BYTES);
  // Its name stands in the question, right after the head.
  head.writeUInt16BE(0xc000 | HEAD_BYTES, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(TTL_S, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

const address = (ip) => Buffer.from(ip.split('.').map(Number));

function service([priority, weight, port, target]) {
  const numbers = Buffer.alloc(6);
  [priority, weight, port].forEach((number, index) => numbers.writeUInt16BE(number, index * 2));
  const labels = target.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([numbers, ...labels, Buffer.from([0])]);
}
