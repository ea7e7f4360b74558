// The matrix of peers, transports, security and features: who takes part, and what is tried with each.
import { startBaresip } from './baresip.mjs';
import { startLinphone } from './linphone.mjs';
import { PASSWORD } from './files.mjs';
import { ask, until, wait } from './server.mjs';
import { Softphone } from './softphone.mjs';

/** The phones, each with two browsers of its own as the other side: one that it talks to, and a third party. */
export const ROWS = [
  { peer: 'baresip', transport: 'udp', security: 'none', codec: 'ulaw' },
  { peer: 'baresip', transport: 'tcp', security: 'sdes', codec: 'alaw', digits: 'inband' },
  { peer: 'baresip', transport: 'tls', security: 'sdes', codec: 'g722' },
  { peer: 'baresip', transport: 'tls', security: 'none', codec: 'opus' },
  { peer: 'linphone', transport: 'udp', security: 'none', codec: 'ulaw' },
  { peer: 'linphone', transport: 'udp', security: 'sdes', codec: 'alaw', digits: 'info' },
  { peer: 'linphone', transport: 'tcp', security: 'none', codec: 'g722' },
  { peer: 'linphone', transport: 'tls', security: 'sdes', codec: 'opus' },
  { peer: 'chromium', transport: 'wss', security: 'dtls', codec: 'opus' },
  { peer: 'chromium', transport: 'ws', security: 'dtls', codec: 'ulaw', digits: 'info' },
  { peer: 'linphone', transport: 'tcp', security: 'none', codec: 'opus', ice: true },
  { peer: 'baresip', transport: 'udp', security: 'sdes', codec: 'alaw', ice: true },
  { peer: 'sipjs', transport: 'ws', security: 'dtls', codec: 'opus' },
  { peer: 'linphone', transport: 'udp', security: 'dtls', codec: 'alaw' },
  { peer: 'baresip', transport: 'udp', security: 'dtls', codec: 'ulaw' },
].map((row, index) => ({
  digits: 'rfc4733',
  ...row,
  /** Extensions of its own: what parks a call, and where it is then. */
  park: { extension: String(7500 + index), space: String(7600 + index) },
  users: { phone: String(100 + index), far: String(200 + index), third: String(300 + index) },
  tones_hz: { phone: 400 + 20 * index, far: 1_000 + 10 * index, third: 1_800 + 20 * index },
}));

const BARESIP_CODECS = { ulaw: ['PCMU/8000/1', 8_000], alaw: ['PCMA/8000/1', 8_000], g722: ['G722/16000/1', 16_000], opus: ['opus/48000/2', 48_000, 2] };
const LINPHONE_CODECS = { ulaw: ['PCMU', 8_000], alaw: ['PCMA', 8_000], g722: ['G722', 16_000], opus: ['opus', 48_000] };
const BARESIP_SECURITY = { none: '', sdes: ';mediaenc=srtp-mand', dtls: ';mediaenc=dtls_srtp' };
const LINPHONE_SECURITY = { none: 'none', sdes: 'srtp', dtls: 'dtls' };
export const EARLY_HZ = 850;
/** The music of those who are held. */
export const MUSIC_HZ = 2_600;
const DIGITS = '1223*0';

const account = (name, options) => `
[${name}]
type=endpoint
context=sets
message_context=texts
subscribe_context=lamps
aors=${name}
auth=${name}
disallow=all
${options}

[${name}]
type=auth
username=${name}
password=${PASSWORD}

[${name}]
type=aor
max_contacts=1
remove_existing=yes
`;

const BROWSERS = ['chromium', 'sipjs'];

/** Each row is a pickup group of its own. */
const group = (index) => `call_group=${index}\npickup_group=${index}`;

function options({ peer, security, codec, ice, digits }) {
  const own = `allow=${codec}\ndtmf_mode=${digits}`;
  if (BROWSERS.includes(peer)) return `${own}\nwebrtc=yes`;
  return [own, { none: '', sdes: 'media_encryption=sdes', dtls: 'media_encryption=dtls' }[security], ice ? 'ice_support=yes' : ''].join('\n');
}

/** A trunk that is known by its address. */
const trunk = ({ name, ip, port, transport }) => `
[${name}]
type=endpoint
context=sets
aors=${name}
disallow=all
allow=ulaw

[${name}]
type=aor
contact=sip:${ip}:${port}\\;transport=${transport}

[${name}]
type=identify
endpoint=${name}
match=${ip}
`;

/**
 * The exchange of the matrix; `tls` has a port and the files of a certificate, `trunks` are those of SIPp, `music` is a folder
 * with what those hear who are held.
 */
export const files = (tls, trunks, music) => (ports) => ({
  'pjsip.conf': `[udp]
type=transport
protocol=udp
bind=127.0.0.1:${ports.sip}
[tcp]
type=transport
protocol=tcp
bind=127.0.0.1:${ports.sip}
[tls]
type=transport
protocol=tls
bind=127.0.0.1:${tls.port}
cert_file=${tls.certificate}
priv_key_file=${tls.key}
${trunks.map(trunk).join('')}
${trunks.flatMap(({ users }) => users).map((user) => account(user, `allow=opus,ulaw\nwebrtc=yes`)).join("")}
${ROWS.map((row, index) => account(row.users.phone, `${options(row)}\n${group(index)}`) + ['far', 'third'].map((who) => account(row.users[who], `allow=opus,ulaw\nwebrtc=yes\n${group(index)}`)).join('')).join('')}`,
  'http.conf': `[general]
enabled=yes
bindaddr=127.0.0.1
bindport=${ports.http}
tlsenable=yes
tlsbindaddr=127.0.0.1:${ports.https}
tlscertfile=${tls.certificate}
tlsprivatekey=${tls.key}
`,
  'extensions.conf': `[sets]
exten => _[1-4]XX,1,Dial(PJSIP/\${EXTEN},30)
${trunks.map(({ name }, index) => `exten => _${index + 5}0XX,1,Dial(PJSIP/\${EXTEN}@${name},20)\n`).join('')}exten => _9[1-4]XX,1,Dial(PJSIP/\${EXTEN:1},30,tT)
exten => 790,1,Playtones(${EARLY_HZ})
 same => n,Wait(20)
exten => 800,1,Read(digits,,${DIGITS.length},,1,8)
 same => n,Set(GLOBAL(read\${CALLERID(num)})=\${READSTATUS} \${digits})
include => parkedcalls
[texts]
exten => _X.,1,MessageSend(pjsip:\${EXTEN},\${MESSAGE(from)})
[lamps]
${ROWS.map(({ users }) => `exten => ${users.far},hint,PJSIP/${users.far}\n`).join('')}`,
  'features.conf': `[general]
pickupexten=*8
featuredigittimeout=3000
[featuremap]
blindxfer=#
atxfer=*2
`,
  'res_parking.conf': `[default]
parkpos=7700-7701
${ROWS.map(({ park }) => `[lot${park.extension}]\ncontext=parkedcalls\nparkext=${park.extension}\nparkpos=${park.space}-${park.space}\nparkext_exclusive=yes\n`).join('')}`,
  'musiconhold.conf': `[default]
mode=files
directory=${music}
`,
  'rtp.conf': `[general]
rtpstart=21000
rtpend=22999
`,
});

/** Starts the three parties of a row; `world` has the exchange, a page for softphones and the port of TLS. */
export async function startRow(row, world) {
  const { server, tls } = world;
  const soft = (who, transport = 'wss', page = transport) => {
    const socket = transport === 'ws' ? `ws://localhost:${server.ports.http}/ws` : `wss://localhost:${server.ports.https}/ws`;
    // A page that came by HTTPS may not open a WebSocket in the clear.
    return Softphone.start(world.pages[page], { user: row.users[who], password: PASSWORD, socket, tone_hz: row.tones_hz[who], digits: who === 'phone' ? row.digits : undefined });
  };
  const port = row.transport === 'tls' ? tls.port : server.ports.sip;
  const common = { server, user: row.users.phone, password: PASSWORD, port, transport: row.transport, tone_hz: row.tones_hz.phone, digits: row.digits };
  const start = {
    async baresip() {
      const [codecs, rate_hz, channels] = BARESIP_CODECS[row.codec];
      return startBaresip({ ...common, watches: row.users.far, codecs, rate_hz, channels, account: `${BARESIP_SECURITY[row.security]}${row.ice ? ';medianat=ice' : ''}` });
    },
    async linphone() {
      const [codec, rate_hz] = LINPHONE_CODECS[row.codec];
      return startLinphone({ ...common, codec, rate_hz, encryption: LINPHONE_SECURITY[row.security], ice: row.ice });
    },
    chromium: () => soft('phone', row.transport),
    sipjs: () => soft('phone', row.transport, 'sipjs'),
  };
  const [phone, far, third] = await Promise.all([start[row.peer](), soft('far'), soft('third')]);
  await until(`${row.users.phone} is registered`, () => server.log.includes(`registered aor="${row.users.phone}"`), 10_000).catch((error) => {
    throw new Error(`${error.message}\n${phone.log}\n${server.log}`);
  });
  return { row, world, phone, far, third };
}

/** Of what a program said until its fault. */
const FAULT_CHARS_MAX = 2_000;
/** A digit that was pressed is heard by then, or never: a page on a busy machine listens seconds later. */
const HEARD_MS_MAX = 8_000;
/** So often is a digit pressed while the browser loses sound. */
const ATTEMPTS_MAX = 3;
/** A browser that made up as much sound was not given its time. */
const LOST_MS_MIN = 100;
const PACKET_MS = 20;
/** Packets for so much of the time are all, but for those that a digit stands for. */
const SENT_SHARE_MIN = 0.8;
/** A digit that comes twice has come by then. */
const AFTER_DIGITS_MS = 500;
const HEARS_MS_MAX = 8_000;
/** As long as a party that hears something may have nothing of it in its file. */
const FILE_MS_MAX = 3_000;

export const say = (what) => (error) => {
  throw new Error(`${what}: ${error.message}`);
};

/** This party hears this tone from now on. */
export async function hearsTone(party, tone_hz) {
  await party.mark();
  let heard = 0;
  await until('', async () => (heard = await party.share(tone_hz)) > 0.8, HEARS_MS_MAX).catch(() => {
    throw new Error(`${tone_hz} Hz is ${heard.toFixed(2)} of what is heard`);
  });
}

/** Whether what this party hears is not in its file, so that it has to say it back. */
async function isDeaf(party) {
  if (!party.isDeaf) return false;
  await party.mark();
  return !(await until('', async () => !(await party.isDeaf()), FILE_MS_MAX).catch(() => false));
}

/** While a party says back what it hears. */
async function echoed(party, look) {
  party.echoes(true);
  try {
    await look();
  } finally {
    party.echoes(false);
  }
}

/** This party hears the other from now on. */
async function hears(party, other) {
  if (await isDeaf(party)) await echoed(party, () => hearsTone(other, other.tone_hz));
  else await hearsTone(party, other.tone_hz);
}

/** Nothing of this tone is heard for a while. */
export async function silence(party, tone_hz) {
  await until('', async () => (await party.share(tone_hz)) < 0.2, 4_000).catch(() => {});
  await party.mark();
  await wait(700);
  const heard = await party.share(tone_hz);
  if (heard > 0.2) throw new Error(`${tone_hz} Hz is still ${heard.toFixed(2)} of what is heard`);
}

/** This party hears nothing of the other any more. */
async function misses(party, other) {
  if (await isDeaf(party)) await echoed(party, () => silence(other, other.tone_hz));
  else await silence(party, other.tone_hz);
}

/** Both hear each other from now on; one after the other, since one may have to say back what it hears. */
export async function hearEachOther(one, other) {
  await hears(one, other).catch(say('the first hears'));
  await hears(other, one).catch(say('the second hears'));
}

/** Digits pressed here come there, each once. */
export async function digitsReach(from, to) {
  if (to.keys ? to.form !== 'info' : to.form === 'inband') return digitsAreHeard(from, to);
  await to.mark();
  await from.press(DIGITS);
  await until('', async () => (await to.told()).length >= DIGITS.length, 6_000).catch(() => {});
  await wait(AFTER_DIGITS_MS);
  const came = await to.told();
  if (came !== DIGITS) throw new Error(`the digits that came are "${came}"`);
}

/**
 * The same where they are tones: at a browser, which makes tones of events, and at a phone that wants tones. They come one by
 * one. A browser that was not given the time to play loses sound, and a digit with it: that one is pressed again, if the
 * browser says itself that it lost some. Any other digit that is not heard is a fault, as is one that is heard twice.
 */
async function digitsAreHeard(from, to) {
  const keys = () => (to.keys ? to.keys() : to.told());
  await to.mark();
  await keys();
  for (let count = 1; count <= DIGITS.length; count += 1) {
    const isHeard = async () => (await keys()).length >= count;
    for (let attempts = 1; ; attempts += 1) {
      const before = await to.played?.();
      await from.press(DIGITS[count - 1]);
      if (await until('', isHeard, HEARD_MS_MAX).catch(() => false)) break;
      const lost = before && lostSince(before, await to.played());
      if (!lost || attempts === ATTEMPTS_MAX) throw new Error(`${DIGITS[count - 1]} of ${DIGITS} was not heard after "${await keys()}"`);
      console.log(`${DIGITS[count - 1]} is pressed again: ${to.user} lost sound`);
    }
  }
  await wait(AFTER_DIGITS_MS);
  const heard = await keys();
  if (heard !== DIGITS) throw new Error(`of the digits ${DIGITS} "${heard}" was heard`);
}

/** Whether a browser had to make up sound, or threw some away, though it was sent all of it. */
function lostSince(before, after) {
  const packets = (after.received - before.received) * PACKET_MS;
  const is_sent = packets > SENT_SHARE_MIN * (after.at_ms - before.at_ms);
  return is_sent && (after.concealed_ms - before.concealed_ms > LOST_MS_MIN || after.discarded > before.discarded);
}

/** Sound of this user has come: with ICE nothing can before a path is found, and a digit as little as a word. */
function comesThrough(user, { server }) {
  const packets = new RegExp(`${user}-\\w+ +[\\d:]+ +\\w+ +[1-9]`);
  return until(`sound of ${user}`, async () => packets.test(await ask(server, 'pjsip show channelstats')), HEARS_MS_MAX);
}

export async function call(from, to, number) {
  await from.dial(number);
  await to.rings().catch(say('ringing'));
  await to.answer();
  await Promise.all([from.talks(), to.talks()]).catch(say('the answer'));
  await hearEachOther(from, to);
}

export const bothEnd = (one, other) => Promise.all([one.ends(), other.ends()]).catch(say('the end'));

/** What a phone cannot do. */
export const ABSENT = 'not in the phone';

/**
 * What is tried, in order: [names of the columns it proves, what is done]. The names are marked passed one by one, as
 * `passed(name)` says so.
 */
export const FEATURES = [
  [
    ['calls', 'holds: music for the other', 'resumes', 'digits to a browser', 'hangs up'],
    async ({ phone, far, row }, passed) => {
      await call(phone, far, row.users.far);
      passed('calls');
      await phone.hold();
      await hearsTone(far, MUSIC_HZ).catch(say('held'));
      await misses(phone, far).catch(say('held'));
      passed('holds: music for the other');
      await phone.resume();
      await hearEachOther(phone, far).catch(say('resumed'));
      passed('resumes');
      await digitsReach(phone, far);
      passed('digits to a browser');
      await hearEachOther(phone, far).catch(say('after the digits'));
      phone.hangUp();
      await bothEnd(phone, far);
      passed('hangs up');
    },
  ],
  [
    ['is called', 'is held: hears music', 'is resumed', 'digits from a browser', 'is hung up'],
    async ({ phone, far, row }, passed) => {
      await call(far, phone, row.users.phone);
      passed('is called');
      await far.hold();
      await hearsTone(phone, MUSIC_HZ).catch(say('held'));
      await misses(far, phone).catch(say('who holds'));
      passed('is held: hears music');
      await far.resume();
      await hearEachOther(phone, far).catch(say('resumed'));
      passed('is resumed');
      await digitsReach(far, phone);
      passed('digits from a browser');
      await far.hangUp();
      await bothEnd(phone, far);
      passed('is hung up');
    },
  ],
  [
    ['digits to `Read`'],
    async ({ phone, row, world }, passed) => {
      await phone.dial('800');
      await phone.talks();
      await comesThrough(row.users.phone, world);
      await phone.press(DIGITS);
      const name = `read${row.users.phone}`;
      const read = async () => new RegExp(`${name}=(.*)`).exec(await ask(world.server, 'dialplan show globals'))?.[1]?.trim();
      const digits = await until('the end of Read', read, 12_000);
      if (digits !== `OK ${DIGITS}`) throw new Error(`Read says "${digits}"`);
      await phone.ends();
      passed('digits to `Read`');
    },
  ],
  [
    ['early media', 'gives up'],
    async ({ phone, far, row }, passed) => {
      await phone.dial('790');
      await hearsTone(phone, EARLY_HZ);
      phone.hangUp();
      await phone.ends();
      passed('early media');
      await phone.dial(row.users.far);
      await far.rings();
      await phone.alerted();
      phone.hangUp();
      await bothEnd(phone, far);
      passed('gives up');
    },
  ],
  [
    ['caller gives up'],
    async ({ phone, far, row }, passed) => {
      await far.dial(row.users.phone);
      await phone.rings();
      await far.alerted();
      await far.hangUp();
      await bothEnd(phone, far);
      passed('caller gives up');
    },
  ],
  [
    ['transfers'],
    async ({ phone, far, third, row }, passed) => {
      await call(phone, far, row.users.far);
      await phone.transfer(row.users.third);
      await third.rings().catch(say('the third party'));
      await third.answer();
      await hearEachOther(far, third);
      await phone.ends();
      await far.hangUp();
      await bothEnd(far, third);
      passed('transfers');
    },
  ],
  [
    ['is transferred'],
    async ({ phone, far, third, row }, passed) => {
      await call(far, phone, row.users.phone);
      await far.transfer(row.users.third);
      await third.rings().catch(say('the third party'));
      await third.answer();
      await hearEachOther(phone, third);
      await far.ends();
      phone.hangUp();
      await bothEnd(phone, third);
      passed('is transferred');
    },
  ],
  [
    ['transfers, attended'],
    async ({ phone, far, third, row }, passed) => {
      if (!phone.transferBoth) return passed('transfers, attended', ABSENT);
      await call(phone, far, row.users.far);
      await phone.hold();
      await hearsTone(far, MUSIC_HZ).catch(say('held'));
      await call(phone, third, row.users.third);
      await phone.transferBoth();
      await hearEachOther(far, third);
      await phone.ends();
      await far.hangUp();
      await bothEnd(far, third);
      passed('transfers, attended');
    },
  ],
  [
    ['is transferred, attended'],
    async ({ phone, far, third, row }, passed) => {
      await call(far, phone, row.users.phone);
      await far.hold();
      await hearsTone(phone, MUSIC_HZ).catch(say('held'));
      await call(far, third, row.users.third);
      await far.transferBoth();
      await hearEachOther(phone, third);
      await far.ends();
      phone.hangUp();
      await bothEnd(phone, third);
      passed('is transferred, attended');
    },
  ],
];

/** Leaves nothing of a step that failed to the next one. */
async function clear({ phone, far, third }) {
  for (const party of [phone, far, third]) {
    for (let calls = 0; calls < 2; calls += 1) await party.hangUp();
  }
  await wait(1_000);
  for (const party of [phone, far, third]) await party.forget();
}

/** Tries features with one phone: {cells: {feature: result}, faults}. */
export async function tryFeatures(parties, features = FEATURES) {
  const cells = {};
  const faults = [];
  for (const [columns, feature] of features) {
    for (const name of columns) cells[name] = 'fail';
    for (const party of [parties.phone, parties.far, parties.third]) await party.forget();
    const passed = (name, result = 'pass') => (cells[name] = result);
    await feature(parties, passed).catch(async (error) => {
      const at = columns.find((name) => cells[name] === 'fail');
      faults.push(`${at}: ${error.message.slice(0, FAULT_CHARS_MAX)}`);
      await clear(parties);
    });
  }
  return { cells, faults };
}

/** Phones that call each other, by their places in `ROWS`. */
export const PAIRS = [[0, 4], [5, 1], [2, 7], [3, 8], [9, 6]];

/** One phone calls another: sound both ways, and the end. */
export async function tryPair(caller, callee) {
  for (const party of [caller.phone, callee.phone]) await party.forget();
  await call(caller.phone, callee.phone, callee.row.users.phone);
  callee.phone.hangUp();
  await bothEnd(caller.phone, callee.phone);
}
