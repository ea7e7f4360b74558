// SIPp as a trunk: what it says and expects, written as a list of steps, with its echo of sound.
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { endsWithUs, temporaryFolder, until } from './server.mjs';

const RUN_MS_MAX = 25_000;
const PATIENCE_MS = 5_000;
/** Of `/proc/net/tcp`. */
const LISTEN = '0A';

const SDP = (direction = 'sendrecv', version = 1) => [
  'v=0',
  `o=sipp 1 ${version} IN IP4 [media_ip]`,
  's=-',
  'c=IN IP4 [media_ip]',
  't=0 0',
  'm=audio [media_port] RTP/AVP 0',
  'a=rtpmap:0 PCMU/8000',
  `a=${direction}`,
];

const VIA = 'Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]';
const CONTACT = 'Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>';

/** A message with these header lines and, perhaps, a description. */
function message(first, lines, sdp, again = '') {
  const body = sdp ? ['Content-Type: application/sdp', 'Content-Length: [len]', '', ...sdp] : ['Content-Length: 0', ''];
  return `<send${again}><![CDATA[\n${[first, ...lines, ...body].join('\n')}\n]]></send>`;
}

const RETRANSMITTED = ' retrans="500"';

/** Waits: `pause(2_000)`; the test looks and listens meanwhile. */
export const pause = (ms) => `<pause milliseconds="${ms}"/>`;

/** SIPp is called. */
export const called = {
  /** Takes a request; of the INVITE it remembers who calls from where. */
  takes: (method) =>
    method === 'INVITE'
      ? `<recv request="INVITE"><action>
<ereg regexp="&lt;.*" search_in="hdr" header="From:" assign_to="from"/>
<ereg regexp="&lt;.*" search_in="hdr" header="To:" assign_to="to"/>
<ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" assign_to="target"/>
<ereg regexp="SIP.*" search_in="hdr" header="Via:" assign_to="via"/>
<ereg regexp="[0-9]+ INVITE" search_in="hdr" header="CSeq:" assign_to="cseq"/>
</action></recv>`
      : `<recv request="${method}"/>`,
  /** Answers the last request. */
  answers: (status, { sdp, more = [] } = {}) =>
    message(`SIP/2.0 ${status}`, ['[last_Via:]', '[last_From:]', '[last_To:]', '[last_Call-ID:]', '[last_CSeq:]', CONTACT, ...more], sdp),
  /** Answers the INVITE, whatever came since; again, until a request comes, if it is final. */
  replies: (status, { sdp, more = [] } = {}) =>
    message(`SIP/2.0 ${status}`, ['Via: [$via]', 'From: [$from]', 'To: [$to];tag=[pid]t[call_number]', '[last_Call-ID:]', 'CSeq: [$cseq]', CONTACT, ...more], sdp, status.startsWith('1') ? '' : RETRANSMITTED),
  /** A request of its own in the dialog. */
  asks: (method, cseq, { sdp, more = [] } = {}) =>
    message(`${method} [$target] SIP/2.0`, [VIA, 'Max-Forwards: 70', 'From: [$to];tag=[pid]t[call_number]', 'To: [$from]', '[last_Call-ID:]', `CSeq: ${cseq} ${method}`, CONTACT, ...more], sdp, method === 'ACK' ? '' : RETRANSMITTED),
};

/** SIPp calls `number`. */
export const calling = {
  invites: (number, { sdp } = {}) =>
    message(`INVITE sip:${number}@[remote_ip]:[remote_port] SIP/2.0`, [VIA, 'Max-Forwards: 70', 'From: <sip:4711@[local_ip]>;tag=[pid]f[call_number]', `To: <sip:${number}@[remote_ip]>`, 'Call-ID: [call_id]', 'CSeq: 1 INVITE', CONTACT], sdp, RETRANSMITTED),
  /** A request in the dialog or, with the branch of the INVITE, the CANCEL of it. */
  asks: (method, cseq, number, { sdp, more = [], same = false } = {}) =>
    message(
      `${method} ${same ? `sip:${number}@[remote_ip]:[remote_port]` : '[next_url]'} SIP/2.0`,
      [same ? VIA.replace('[branch]', `[branch-${same}]`) : VIA, 'Max-Forwards: 70', 'From: <sip:4711@[local_ip]>;tag=[pid]f[call_number]', `To: <sip:${number}@[remote_ip]>${method === 'CANCEL' ? '' : '[peer_tag_param]'}`, 'Call-ID: [call_id]', `CSeq: ${cseq} ${method}`, CONTACT, ...more],
      sdp,
      method === 'ACK' ? '' : RETRANSMITTED,
    ),
  expects: (status, optional = false) => `<recv response="${status}"${optional ? ' optional="true"' : ''}${status === 200 ? ' rrs="true"' : ''}/>`,
  takes: (method) => `<recv request="${method}"/>`,
  answers: (status) => message(`SIP/2.0 ${status}`, ['[last_Via:]', '[last_From:]', '[last_To:]', '[last_Call-ID:]', '[last_CSeq:]']),
};

export { SDP };

/** Whether somebody has this port of IPv4, at this address if one is named: of TCP, listens there. */
export async function isOpen(transport, port, ip = '') {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = (await readFile(`/proc/net/${transport}`, 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
  const address = ip.split('.').map((byte) => Number(byte).toString(16).toUpperCase().padStart(2, '0')).reverse().join('');
  return lines.some(([, local, , state]) => local?.endsWith(`:${hex}`) && (!ip || local.startsWith(address)) && (transport === 'udp' || state === LISTEN));
}

/**
 * Runs one dialogue. `to` is the port of the exchange if SIPp calls; its own `port` and address are known to the exchange.
 * `ended` resolves when everything in it came to pass, and fails with what SIPp says otherwise.
 */
export async function startSipp(steps, { ip, port, media, transport, to }) {
  const folder = await temporaryFolder('sipp');
  const [file, errors] = [join(folder, 'scenario.xml'), join(folder, 'errors')];
  const names = ['from', 'to', 'target', 'via', 'cseq'].filter((name) => steps.some((step) => step.includes(`assign_to="${name}"`)));
  const used = names.length > 0 ? `<Reference variables="${names.join(',')}"/>` : '';
  await writeFile(file, `<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="sidetone">\n${steps.join('\n')}\n${used}</scenario>\n`);
  const words = ['-sf', file, '-i', ip, '-p', port, '-mi', ip, '-mp', media, '-rtp_echo', '-t', transport === 'tcp' ? 't1' : 'u1'];
  words.push('-m', 1, '-nostdin', '-timeout', `${RUN_MS_MAX / 1_000}s`, '-timeout_error', '-trace_msg', '-message_file', join(folder, 'messages'), '-trace_err', '-error_file', errors);
  if (to) words.push(`127.0.0.1:${to}`);
  const child = spawn('sipp', words.map(String), { cwd: folder, stdio: 'ignore' });
  endsWithUs(child);
  const ended = new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', async (code) => {
      if (code === 0) return done();
      fail(new Error(`SIPp ended with ${code}: ${(await readFile(errors, 'utf8').catch(() => '')).slice(0, 2_000)}`));
    });
  });
  // Whoever waits for it hears of it; nobody else has to.
  ended.catch(() => {});
  await until('SIPp listens', () => isOpen(transport, port), PATIENCE_MS);
  return { ended, stop: () => child.kill('SIGKILL') };
}
