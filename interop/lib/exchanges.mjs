// Two exchanges with a trunk between them: one registers at the other, over TLS, with SDES. A phone at one calls a browser
// at the other, and the other way round.
import { startBaresip } from './baresip.mjs';
import { account, http, PASSWORD } from './files.mjs';
import { bothEnd, call, digitsReach, hearEachOther, hearsTone, MUSIC_HZ, say } from './matrix.mjs';
import { ask, freePort, startServer, until } from './server.mjs';
import { Softphone, softphonePage } from './softphone.mjs';

const NEAR = { user: '801', tone_hz: 460 };
const FAR = { user: '901', tone_hz: 1_480 };
const REGISTERS_MS_MAX = 8_000;

const transports = (ports, tls) => `[udp]
type=transport
protocol=udp
bind=127.0.0.1:${ports.sip}
[tls]
type=transport
protocol=tls
bind=127.0.0.1:${tls.port}
cert_file=${tls.certificate}
priv_key_file=${tls.key}
ca_list_file=${tls.authority}
verify_server=yes
`;

/** One phone alone for an account: the next one takes its place. */
const ALONE = 'max_contacts=1\nremove_existing=yes';

const phoneOf = ({ user }, options) => account(user, `allow=opus,ulaw\n${options}`, ALONE);

const trunk = (name, more) => `[${name}]
type=endpoint
context=sets
aors=${name}
disallow=all
allow=ulaw
media_encryption=sdes
transport=tls
${more}
[${name}]
type=auth
username=branch
password=${PASSWORD}
`;

const common = (ports, music) => ({
  'http.conf': http(ports),
  'musiconhold.conf': `[default]\nmode=files\ndirectory=${music}\n`,
});

/** The office where the other registers: it knows it as `branch`, by its registration. */
const office = (tls, music) => (ports) => ({
  ...common(ports, music),
  'pjsip.conf': `${transports(ports, tls)}
${phoneOf(FAR, 'webrtc=yes')}
${trunk('branch', 'auth=branch')}
[branch]
type=aor
${ALONE}
`,
  'extensions.conf': `[sets]
exten => ${FAR.user},1,Dial(PJSIP/${FAR.user},20)
exten => _8XX,1,Dial(PJSIP/\${EXTEN}@branch,20)
`,
  'rtp.conf': '[general]\nrtpstart=23000\nrtpend=23199\n',
});

/** The branch, which registers at the office. */
const branch = (tls, music, officePort) => (ports) => ({
  ...common(ports, music),
  'pjsip.conf': `${transports(ports, tls)}
${phoneOf(NEAR, '')}
${trunk('office', 'outbound_auth=office\nfrom_user=branch')}
[office]
type=aor
contact=sips:localhost:${officePort}
[office]
type=registration
transport=tls
server_uri=sips:localhost:${officePort}
client_uri=sips:branch@localhost:${officePort}
contact_user=branch
outbound_auth=office
line=yes
endpoint=office
`,
  'extensions.conf': `[sets]
exten => ${NEAR.user},1,Dial(PJSIP/${NEAR.user},20)
exten => _9XX,1,Dial(PJSIP/\${EXTEN}@office,20)
`,
  'rtp.conf': '[general]\nrtpstart=23200\nrtpend=23399\n',
});

/** Starts both, a baresip at the branch and Chromium at the office. */
export async function startExchanges({ certificates, browser, music }) {
  const port = await freePort();
  const tls = { certificate: certificates.path('server.pem'), key: certificates.path('server.key'), authority: certificates.path('authority.pem') };
  const far = await startServer({ files: office({ ...tls, port }, music) });
  const near = await startServer({ files: branch({ ...tls, port: await freePort() }, music, port) });
  const registered = async () => /Registered/.test(await ask(near, 'pjsip show registrations'));
  await until('the branch is registered', registered, REGISTERS_MS_MAX).catch((error) => {
    throw new Error(`${error.message}\n${near.log}\n${far.log}`);
  });
  const page = await softphonePage(browser, far.url);
  const socket = `ws://localhost:${far.ports.http}/ws`;
  const [phone, soft] = await Promise.all([
    startBaresip({ server: near, user: NEAR.user, password: PASSWORD, tone_hz: NEAR.tone_hz }),
    Softphone.start(page, { ...FAR, password: PASSWORD, socket }),
  ]);
  await phone.registered();
  return { phone, far: soft, servers: [near, far] };
}

/** As the features of the matrix. */
export const BETWEEN = [
  [
    ['call in', 'held: music', 'resumed', 'digits in', 'digits out', 'hung up there'],
    async ({ phone, far }, passed) => {
      await call(phone, far, FAR.user);
      passed('call in');
      await far.hold();
      await hearsTone(phone, MUSIC_HZ).catch(say('held'));
      passed('held: music');
      await far.resume();
      await hearEachOther(phone, far).catch(say('resumed'));
      passed('resumed');
      await digitsReach(phone, far);
      passed('digits in');
      await digitsReach(far, phone);
      passed('digits out');
      await hearEachOther(phone, far).catch(say('after the digits'));
      await far.hangUp();
      await bothEnd(phone, far);
      passed('hung up there');
    },
  ],
  [
    ['call out', 'hung up here'],
    async ({ phone, far }, passed) => {
      await call(far, phone, NEAR.user);
      passed('call out');
      phone.hangUp();
      await bothEnd(phone, far);
      passed('hung up here');
    },
  ],
];
