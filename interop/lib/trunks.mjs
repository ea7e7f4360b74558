// SIPp as a trunk, in and out: dialogues, each over every transport. SIPp echoes sound, so who talks to it hears its own
// tone as long as there is sound both ways.
import { bothEnd, hearsTone, say, silence } from './matrix.mjs';
import { called, calling, pause, SDP, startSipp } from './sipp.mjs';
import { freePort } from './server.mjs';

/** The trunks: one for each transport, known by an address of its own. */
export async function trunks() {
  const named = [['trunk-udp', '127.0.0.2', 'udp'], ['trunk-tcp', '127.0.0.3', 'tcp']];
  return Promise.all(named.map(async ([name, ip, transport], index) => ({ name, ip, transport, port: await freePort(), media: await freePort(), prefix: String(index + 5), users: [`40${index * 2}`, `40${index * 2 + 1}`] })));
}

const echo = (party) => hearsTone(party, party.tone_hz);
const LISTEN_MS = 3_000;
const HEAR_MS = 2_000;

/** [what is proven, the steps of SIPp, what the browsers do meanwhile]; `out` is a call to SIPp, the others are its own. */
export const DIALOGUES = [
  {
    name: 'call out, the trunk hangs up',
    out: true,
    steps: () => [
      called.takes('INVITE'),
      called.replies('180 Ringing'),
      called.replies('200 OK', { sdp: SDP() }),
      called.takes('ACK'),
      pause(LISTEN_MS),
      called.asks('BYE', 1),
      calling.expects(200),
    ],
    async browsers({ far }) {
      await far.alerted();
      await far.talks();
      await echo(far);
      await far.ends();
    },
  },
  {
    name: 'call out, early media with PRACK, the browser hangs up',
    out: true,
    steps: () => [
      called.takes('INVITE'),
      called.replies('183 Session Progress', { sdp: SDP(), more: ['Require: 100rel', 'RSeq: 1'] }),
      called.takes('PRACK'),
      called.answers('200 OK'),
      pause(LISTEN_MS),
      called.replies('200 OK'),
      called.takes('ACK'),
      called.takes('BYE'),
      called.answers('200 OK'),
    ],
    async browsers({ far }) {
      await echo(far).catch(say('before the answer'));
      await far.talks();
      await echo(far).catch(say('after it'));
      await far.hangUp();
      await far.ends();
    },
  },
  {
    name: 'call out, held and resumed by re-INVITE',
    out: true,
    steps: () => [
      called.takes('INVITE'),
      called.replies('200 OK', { sdp: SDP() }),
      called.takes('ACK'),
      pause(HEAR_MS),
      called.asks('INVITE', 1, { sdp: SDP('inactive', 2) }),
      calling.expects(100, true),
      calling.expects(200),
      called.asks('ACK', 1),
      pause(HEAR_MS),
      called.asks('INVITE', 2, { sdp: SDP('sendrecv', 3) }),
      calling.expects(100, true),
      calling.expects(200),
      called.asks('ACK', 2),
      called.takes('BYE'),
      called.answers('200 OK'),
    ],
    async browsers({ far }) {
      await far.talks();
      await echo(far);
      await silence(far, far.tone_hz).catch(say('held'));
      await echo(far).catch(say('resumed'));
      await far.hangUp();
      await far.ends();
    },
  },
  {
    name: 'call out, held and resumed by UPDATE',
    out: true,
    steps: () => [
      called.takes('INVITE'),
      called.replies('200 OK', { sdp: SDP() }),
      called.takes('ACK'),
      pause(HEAR_MS),
      called.asks('UPDATE', 1, { sdp: SDP('inactive', 2) }),
      calling.expects(200),
      pause(HEAR_MS),
      called.asks('UPDATE', 2, { sdp: SDP('sendrecv', 3) }),
      calling.expects(200),
      called.takes('BYE'),
      called.answers('200 OK'),
    ],
    async browsers({ far }) {
      await far.talks();
      await echo(far);
      await silence(far, far.tone_hz).catch(say('held'));
      await echo(far).catch(say('resumed'));
      await far.hangUp();
      await far.ends();
    },
  },
  {
    name: 'call out, busy',
    out: true,
    steps: () => [called.takes('INVITE'), called.replies('486 Busy Here'), called.takes('ACK')],
    async browsers({ far }) {
      await far.ends();
      const story = await far.story();
      if (!story.includes('Busy')) throw new Error(`the browser was told "${story}"`);
    },
  },
  {
    name: 'call out, given up',
    out: true,
    steps: () => [
      called.takes('INVITE'),
      called.replies('180 Ringing'),
      called.takes('CANCEL'),
      called.answers('200 OK'),
      called.replies('487 Request Terminated'),
      called.takes('ACK'),
    ],
    async browsers({ far }) {
      await far.alerted();
      await far.hangUp();
      await far.ends();
    },
  },
  {
    name: 'call in, the browser hangs up',
    steps: (far) => [
      calling.invites(far, { sdp: SDP() }),
      calling.expects(100, true),
      calling.expects(180),
      calling.expects(200),
      calling.asks('ACK', 1, far),
      calling.takes('BYE'),
      calling.answers('200 OK'),
    ],
    async browsers({ far }) {
      await far.rings();
      await far.answer();
      await far.talks();
      await echo(far);
      await far.hangUp();
      await far.ends();
    },
  },
  {
    name: 'call in without an offer, the trunk hangs up',
    steps: (far) => [
      calling.invites(far),
      calling.expects(100, true),
      calling.expects(180),
      calling.expects(200),
      calling.asks('ACK', 1, far, { sdp: SDP() }),
      pause(LISTEN_MS),
      calling.asks('BYE', 2, far),
      calling.expects(200),
    ],
    async browsers({ far }) {
      await far.rings();
      await far.answer();
      await far.talks();
      await echo(far);
      await far.ends();
    },
  },
  {
    name: 'call in, given up',
    steps: (far) => [
      calling.invites(far, { sdp: SDP() }),
      calling.expects(100, true),
      calling.expects(180),
      calling.asks('CANCEL', 1, far, { same: 3 }),
      calling.expects(200),
      calling.expects(487),
      calling.asks('ACK', 1, far, { same: 6 }),
    ],
    async browsers({ far }) {
      await far.rings();
      await far.ends();
    },
  },
  {
    name: 'call in, transferred by REFER',
    steps: (far, third) => [
      calling.invites(far, { sdp: SDP() }),
      calling.expects(100, true),
      calling.expects(180),
      calling.expects(200),
      calling.asks('ACK', 1, far),
      pause(HEAR_MS),
      calling.asks('REFER', 2, far, { more: [`Refer-To: <sip:${third}@[remote_ip]>`, 'Refer-Sub: false'] }),
      // No NOTIFY: SIPp gives up when the BYE comes before it has answered that.
      calling.expects(202),
      calling.takes('BYE'),
      calling.answers('200 OK'),
    ],
    async browsers({ far, third }) {
      await far.rings();
      await far.answer();
      await far.talks();
      await echo(far);
      await third.rings();
      await third.answer();
      await hearsTone(far, third.tone_hz);
      await hearsTone(third, far.tone_hz);
      await far.hangUp();
      await bothEnd(far, third);
    },
  },
];

/** Runs one dialogue with two browsers. */
export async function tryDialogue({ steps, out, browsers }, trunk, parties, server) {
  const { far, third } = parties;
  for (const party of [far, third]) await party.forget();
  const sipp = await startSipp(steps(far.user, third.user), { ...trunk, to: out ? undefined : server.ports.sip });
  try {
    if (out) await far.dial(`${trunk.prefix}011`);
    await browsers(parties);
    await sipp.ended;
  } catch (error) {
    sipp.stop();
    const told = await sipp.ended.then(() => '', ({ message }) => message);
    for (const party of [far, third]) await party.hangUp();
    throw new Error(`${error.message}; ${told}`);
  }
}
