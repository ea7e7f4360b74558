// Every transport of pjsip.conf with its options, as an operator writes them, by the real program over real
// sockets; OpenSSL (Node's) at the other end of TLS.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { Certificates, tls } from '../lib/certificates.mjs';
import { Namespace } from '../lib/namespace.mjs';
import { ask, startServer } from '../lib/server.mjs';
import { header, SipPhone, status } from '../lib/sip.mjs';

let certificates;

before(async () => {
  certificates = await Certificates.make();
  certificates.authority('ca');
  certificates.authority('other');
  certificates.signed('server', 'ca');
  certificates.signed('rsa', 'ca', { type: 'rsa' });
  certificates.signed('client', 'ca');
  certificates.signed('stranger', 'other');
  for (const name of ['server', 'rsa']) {
    await copyFile(certificates.path(`${name}.pem`), certificates.path(`${name}-both.pem`));
    await appendFile(certificates.path(`${name}-both.pem`), await readFile(certificates.path(`${name}.key`)));
  }
  await mkdir(certificates.path('authorities'));
  await copyFile(certificates.path('ca.pem'), certificates.path('authorities/ca.pem'));
});

const own = (name = 'server') => `cert_file=${certificates.path(`${name}.pem`)}\npriv_key_file=${certificates.path(`${name}.key`)}\n`;

const DESK = `
[desk]
type=endpoint
context=sets
aors=desk
webrtc=yes
disallow=all
allow=opus

[desk]
type=aor
max_contacts=9
remove_existing=yes
`;

const PLAN = `[sets]
exten => 100,1,Answer()
 same => n,Wait(60)
`;

/** `[NAME]` with `type=transport` and these lines. */
const transport = (name, lines) => `[${name}]\ntype=transport\n${lines}\n`;

/** Files with these transports; `http` is added to http.conf. */
const filesOf = (transports, http = () => '') => (ports) => ({
  'pjsip.conf': `${transports(ports)}${DESK}`,
  'http.conf': `[general]\nenabled=yes\nbindaddr=::\nbindport=${ports.http}\n${http(ports)}`,
  'extensions.conf': PLAN,
});

async function withTransports(transports, use, { http, wrap, ports } = {}) {
  const server = await startServer({ files: (own) => filesOf(transports, http)(Object.assign(own, ports)), wrap });
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

/** The one transport of TLS, and what becomes of a client with these options: an answer, or an error. */
const overTls = (lines, use) =>
  withTransports(
    (ports) => transport('secure', `protocol=tls\nbind=127.0.0.1:${ports.sip}\n${lines}`),
    (server) => use((options = {}) => tls(server.ports.sip, { probe: OPTIONS, ...options }), server),
  );

const OPTIONS = [
  'OPTIONS sip:100@127.0.0.1 SIP/2.0',
  'Via: SIP/2.0/TLS phone.invalid;branch=z9hG4bK1;rport',
  'Max-Forwards: 70',
  'From: <sip:desk@127.0.0.1>;tag=1',
  'To: <sip:100@127.0.0.1>',
  'Call-ID: 1',
  'CSeq: 1 OPTIONS',
  'Contact: <sip:desk@127.0.0.1>',
  'Content-Length: 0',
  '',
  '',
].join('\r\n');

test('phones are called by the transport they came on, whatever it is', async () => {
  const all = (ports) =>
    transport('udp', `protocol=udp\nbind=[::]:${ports.sip}`) +
    transport('tcp', `protocol=tcp\nbind=[::]:${ports.sip}\nsymmetric_transport=yes`) +
    transport('tls', `protocol=tls\nbind=[::]:${ports.sip + 1}\n${own()}`) +
    transport('ws', 'protocol=ws\nbind=0.0.0.0') +
    transport('wss', 'protocol=wss\nbind=0.0.0.0');
  const http = (ports) => `tlsenable=yes\ntlsbindaddr=[::]:${ports.https}\ntlscertfile=${certificates.path('server.pem')}\ntlsprivatekey=${certificates.path('server.key')}\n`;
  await withTransports(
    all,
    async (server) => {
      const { ports } = server;
      const doors = { udp: ports.sip, tcp: ports.sip, tls: ports.sip + 1, ws: ports.http, wss: ports.https };
      for (const [kind, port] of Object.entries(doors)) {
        for (const host of ['127.0.0.1', '::1']) {
          const phone = await SipPhone.connect(kind, port, { host });
          const registered = await phone.ask('REGISTER', 'desk', { more: ['Expires: 300'] });
          assert.equal(status(registered), 200, `${kind} ${host}: ${registered}\n${server.log}`);
          await ask(server, 'channel originate PJSIP/desk application Echo');
          const invite = await phone.request();
          // As it was registered, though nobody is there.
          assert.match(invite, /^INVITE sip:desk@192\.0\.2\.77:9 SIP\/2\.0\r\n/, `${kind} ${host}`);
          assert.match(header(invite, 'Via'), new RegExp(`^SIP/2\\.0/${kind.toUpperCase()} `));
          phone.answer(invite, 486);
          assert.match(await phone.request(), /^ACK /);
          await phone.ask('REGISTER', 'desk', { more: ['Expires: 0'] });
          phone.close();
        }
      }
      assert.doesNotMatch(server.log, /\b(WARN|ERROR)\b/);
    },
    { http },
  );
});

test('versions and suites of TLS are those of the transport', async () => {
  const old = { maxVersion: 'TLSv1.2' };
  const suite = (strength) => ({ ...old, ciphers: `ECDHE-ECDSA-AES${strength}-GCM-SHA${strength === 256 ? 384 : 256}` });
  await overTls(own(), async (client) => {
    assert.match((await client()).answer, /^SIP\/2\.0 200 /);
    assert.equal((await client()).protocol, 'TLSv1.3');
    assert.equal((await client(old)).protocol, 'TLSv1.2');
    assert.ok((await client(suite(128))).answer && (await client(suite(256))).answer);
    assert.ok((await client({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })).error);
  });
  await overTls(`${own()}method=tlsv1_2\n`, async (client) => {
    assert.equal((await client()).protocol, 'TLSv1.2');
    assert.ok((await client({ minVersion: 'TLSv1.3' })).error);
  });
  await overTls(`${own()}method=tlsv1_3\n`, async (client) => {
    assert.equal((await client()).protocol, 'TLSv1.3');
    assert.ok((await client(old)).error);
  });
  await overTls(`${own()}cipher=ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-ECDSA-CHACHA20-POLY1305\n`, async (client) => {
    assert.ok((await client(suite(256))).answer);
    assert.ok((await client(suite(128))).error);
  });
});

test('certificates are taken as they lie there', async () => {
  for (const [lines, name, suites] of [
    [own('rsa'), 'rsa', 'ECDHE-RSA-AES128-GCM-SHA256'],
    [`cert_file=${certificates.path('rsa-both.pem')}\n`, 'rsa', 'ECDHE-RSA-AES128-GCM-SHA256'],
    [`cert_file=${certificates.path('server-both.pem')}\n`, 'server', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
  ]) {
    await overTls(lines, async (client) => {
      const ca = await readFile(certificates.path('ca.pem'));
      const { answer, socket } = await client({ maxVersion: 'TLSv1.2', ciphers: suites, ca, rejectUnauthorized: true, servername: 'localhost' });
      assert.match(answer, /^SIP\/2\.0 200 /);
      assert.equal(socket.getPeerCertificate().subject.CN, name);
    });
  }
});

test('clients show certificates where the transport asks for them', async () => {
  const shows = async (name) => ({ cert: await readFile(certificates.path(`${name}.pem`)), key: await readFile(certificates.path(`${name}.key`)) });
  const [known, stranger] = [await shows('client'), await shows('stranger')];
  for (const authorities of [`ca_list_file=${certificates.path('ca.pem')}`, `ca_list_path=${certificates.path('authorities')}`]) {
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const only = { minVersion: version, maxVersion: version };
      await overTls(`${own()}verify_client=yes\n${authorities}\n`, async (client) => {
        assert.ok((await client(only)).answer, 'one that shows none is let in');
        assert.ok((await client({ ...only, ...known })).answer);
        assert.ok((await client({ ...only, ...stranger })).error);
      });
      await overTls(`${own()}require_client_cert=yes\n${authorities}\n`, async (client) => {
        assert.ok((await client(only)).error);
        assert.ok((await client({ ...only, ...known })).answer);
        assert.ok((await client({ ...only, ...stranger })).error);
      });
    }
  }
});

const OFFER = [
  'v=0',
  'o=- 1 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'c=IN IP4 0.0.0.0',
  'a=ice-ufrag:F5DR',
  'a=ice-pwd:6rZDlEZeYQVOCzUXQNaR7W7W',
  `a=fingerprint:sha-256 ${Array(32).fill('7D').join(':')}`,
  'a=setup:actpass',
  'a=mid:0',
  'a=sendrecv',
  'a=rtcp-mux',
  'a=rtpmap:111 opus/48000/2',
  '',
].join('\r\n');

test('peers outside are told the outside addresses, those in local_net are not', async () => {
  const outside = 'external_signaling_address=203.0.113.7\nexternal_signaling_port=5099\nexternal_media_address=203.0.113.8\n';
  for (const [lines, isOutside] of [
    [outside, true],
    [`${outside}local_net=127.0.0.0/8\n`, false],
    [`${outside}local_net=10.0.0.0/8\nlocal_net=127.0.0.1/32\n`, false],
    [`${outside}local_net=10.0.0.0/8\n`, true],
  ]) {
    await withTransports(
      (ports) => transport('udp', `protocol=udp\nbind=127.0.0.1:${ports.sip}\n${lines}`) + transport('tcp', `protocol=tcp\nbind=127.0.0.1:${ports.sip}\n${lines}`),
      async (server) => {
        for (const kind of ['udp', 'tcp']) {
          const phone = await SipPhone.connect(kind, server.ports.sip);
          const ok = await phone.ask('INVITE', 'desk', { to: '100', more: ['Content-Type: application/sdp'], body: OFFER });
          assert.equal(status(ok), 200, ok);
          const contact = header(ok, 'Contact');
          assert.equal(contact.includes('203.0.113.7:5099'), isOutside, contact);
          assert.equal(ok.includes(' 203.0.113.8 '), isOutside, ok);
          phone.close();
        }
      },
    );
  }
});

test('a desk phone outside is told the outside address for its media, one in local_net or with media_address is not', async () => {
  const namespace = await Namespace.make(22);
  const near = namespace.outside.replace(/\.1$/, '.3');
  try {
    execFileSync('ip', ['addr', 'add', `${near}/24`, 'dev', namespace.cable]);
    const bind = `bind=${namespace.inside}:5060`;
    const phones = ['[plain]', '[placed]\nmedia_address=203.0.113.9'].map((lines) => `${lines}\ntype=endpoint\ncontext=sets\ndisallow=all\nallow=ulaw\n`);
    await withTransports(
      () => transport('udp', `protocol=udp\n${bind}\nexternal_media_address=203.0.113.8\nlocal_net=${near}/32\n`) + phones.join(''),
      async () => {
        for (const [from, user, told] of [
          [namespace.outside, 'plain', '203.0.113.8'],
          [near, 'plain', namespace.inside],
          [near, 'placed', '203.0.113.9'],
        ]) {
          const phone = await SipPhone.connect('udp', 5060, { host: namespace.inside, from });
          const body = ['v=0', `o=- 1 1 IN IP4 ${from}`, 's=-', `c=IN IP4 ${from}`, 't=0 0', 'm=audio 4000 RTP/AVP 0', ''].join('\r\n');
          const ok = await phone.ask('INVITE', user, { to: '100', more: ['Content-Type: application/sdp'], body });
          assert.equal(status(ok), 200, ok);
          assert.match(ok, new RegExp(`^c=IN IP4 ${told}\r$`, 'm'), `${user} at ${from}`);
          phone.close();
        }
      },
      { wrap: ['ip', 'netns', 'exec', namespace.name] },
    );
  } finally {
    await namespace.close();
  }
});

test('keep-alives of TCP are those of the transport', async () => {
  for (const [lines, timer] of [
    ['tcp_keepalive_enable=yes\ntcp_keepalive_idle_time=77\n', /timer:\(keepalive,1min1\d/],
    ['tcp_keepalive_idle_time=77\n', null],
  ]) {
    await withTransports(
      (ports) => transport('tcp', `protocol=tcp\nbind=127.0.0.1:${ports.sip}\n${lines}`),
      async (server) => {
        const phone = await SipPhone.connect('tcp', server.ports.sip);
        assert.equal(status(await phone.ask('OPTIONS', 'desk', { to: '100' })), 200);
        const shown = execFileSync('ss', ['-tnoH', 'state', 'established', `sport = :${server.ports.sip}`], { encoding: 'utf8' });
        if (timer) assert.match(shown, timer);
        else assert.doesNotMatch(shown, /keepalive/);
        phone.close();
      },
    );
  }
});

test('packets are marked with tos and cos, on the cable', async () => {
  const namespace = await Namespace.make(21);
  try {
    const inside = (...words) => execFileSync('ip', ['netns', 'exec', namespace.name, ...words], { encoding: 'utf8' });
    const rules = ['5060', '5070'].flatMap((port) => [
      `add rule inet t out udp sport ${port} ip dscp cs3 meta priority 0:5 counter comment "udp-${port}"`,
      `add rule inet t out tcp sport ${port} ip dscp cs3 meta priority 0:5 tcp flags & psh == psh counter comment "tcp-${port}"`,
    ]);
    inside('nft', ['add table inet t', 'add chain inet t out { type filter hook postrouting priority 300; }', ...rules].join('; '));
    const marked = 'tos=cs3\ncos=5\n';
    const all = () =>
      transport('udp', `protocol=udp\nbind=${namespace.inside}:5060\n${marked}`) +
      transport('tcp', `protocol=tcp\nbind=${namespace.inside}:5060\n${marked}`) +
      transport('plain-udp', `protocol=udp\nbind=${namespace.inside}:5070`) +
      transport('plain-tcp', `protocol=tcp\nbind=${namespace.inside}:5070`);
    await withTransports(
      all,
      async () => {
        for (const kind of ['udp', 'tcp']) {
          for (const port of [5060, 5070]) {
            const phone = await SipPhone.connect(kind, port, { host: namespace.inside });
            assert.equal(status(await phone.ask('OPTIONS', 'desk', { to: '100' })), 200);
            phone.close();
          }
        }
        const counted = JSON.parse(inside('nft', '-j', 'list', 'chain', 'inet', 't', 'out')).nftables.filter((entry) => entry.rule);
        const packets = Object.fromEntries(counted.map(({ rule }) => [rule.comment, rule.expr.find((one) => one.counter).counter.packets]));
        assert.deepEqual(packets, { 'udp-5060': 1, 'tcp-5060': 1, 'udp-5070': 0, 'tcp-5070': 0 });
      },
      { wrap: ['ip', 'netns', 'exec', namespace.name] },
    );
  } finally {
    await namespace.close();
  }
});

test('what is wrong with a transport is said with its line and reason, and the others start', async () => {
  const all = (ports) =>
    transport('good', `protocol=udp\nbind=127.0.0.1:${ports.sip}`) +
    transport('nocert', `protocol=tls\nbind=127.0.0.1:${ports.sip + 1}`) +
    transport('gone', `protocol=tls\nbind=127.0.0.1:${ports.sip + 2}\ncert_file=/nowhere.pem`) +
    transport('wrong', `protocol=tls\nbind=127.0.0.1:${ports.sip + 3}\ncert_file=${certificates.path('server.pem')}\npriv_key_file=${certificates.path('client.key')}`) +
    transport('trusting', `protocol=tls\nbind=127.0.0.1:${ports.sip + 4}\n${own()}require_client_cert=yes`) +
    transport('away', `protocol=tcp\nbind=192.0.2.1:${ports.sip}`) +
    transport('named', `protocol=tcp\nbind=127.0.0.1:${ports.sip}\nexternal_media_address=pbx.example.org`) +
    transport('old', `protocol=tls\nbind=127.0.0.1:${ports.sip + 5}\n${own()}method=tlsv1\ncipher=AES128-SHA,ECDHE-ECDSA-AES128-GCM-SHA256`) +
    transport('deaf', 'protocol=wss\nbind=0.0.0.0');
  await withTransports(all, async (server) => {
    const phone = await SipPhone.connect('udp', server.ports.sip);
    assert.equal(status(await phone.ask('OPTIONS', 'desk', { to: '100' })), 200);
    phone.close();
    for (const said of [
      /pjsip\.conf:5:2: transport `nocert`: protocol=tls needs `cert_file`: nothing listens/,
      /pjsip\.conf:9: transport `gone` .*\/nowhere\.pem/,
      /pjsip\.conf:14: transport `wrong` .*does not belong to the certificate/,
      /transport `trusting`: verify_client and require_client_cert need `ca_list_file` or `ca_list_path`/,
      /transport `away` cannot listen on tcp 192\.0\.2\.1:\d+: this machine has no such address/,
      /transport `named`: external_media_address `pbx\.example\.org` is no IP address/,
      /transport `old`: method names SSL, TLS 1\.0 or TLS 1\.1/,
      /transport `old`: cipher names `AES128-SHA`, not spoken here and left out/,
      /`deaf`.*(wss|http\.conf)/,
    ]) {
      assert.match(server.log, said);
    }
    const shown = await ask(server, 'pjsip show transports');
    assert.match(shown, /transport `away` cannot listen/);
    assert.ok((await tls(server.ports.sip + 5, { probe: OPTIONS })).answer, 'the good suite is spoken');
  });
});

test('an endpoint that pins a transport nobody has is told of it and works', async () => {
  const pinned = (ports) => transport('transport-tls', `protocol=udp\nbind=127.0.0.1:${ports.sip}`) + DESK.replace('[desk]\ntype=endpoint\n', '[desk]\ntype=endpoint\ntransport=transporttls\n');
  const files = (ports) => ({ ...filesOf(() => '')(ports), 'pjsip.conf': pinned(ports) });
  const server = await startServer({ files });
  try {
    assert.match(server.log, /transport names `transporttls`, which no file defines/);
    assert.match(server.log, /did you mean `transport-tls`\?/);
    const phone = await SipPhone.connect('ws', server.ports.http);
    assert.equal(status(await phone.ask('REGISTER', 'desk', { more: ['Expires: 300'] })), 200);
    await ask(server, 'channel originate PJSIP/desk application Echo');
    assert.match(await phone.request(), /^INVITE /);
    assert.match(await ask(server, 'pjsip show endpoint desk'), /transporttls.*did you mean `transport-tls`/s);
    phone.close();
  } finally {
    await server.stop();
  }
});
