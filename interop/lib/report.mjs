// docs/interop.md: who was tried with what, as the run found it.
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPORT = resolve(fileURLToPath(import.meta.url), '../../../docs/interop.md');
/** Below it stands what changes with the machine. */
const VERSIONS = '## Versions';
const NAMES = {
  baresip: 'baresip',
  linphone: 'linphonec',
  chromium: 'Chromium, JsSIP',
  sipjs: 'Chromium, SIP.js',
  rfc4733: 'events',
  info: 'INFO',
  inband: 'tones',
  none: 'plain RTP',
  sdes: 'SDES',
  dtls: 'DTLS-SRTP',
  ulaw: 'PCMU',
  alaw: 'PCMA',
  g722: 'G.722',
  opus: 'Opus',
};
const PROGRAMS = [
  ['baresip', 'baresip', ['-v'], /baresip v(\S+)/],
  ['linphonec', 'linphonec', ['-v'], /version: ?(\S+)|(\d+\.\d+\.\d+)/],
  ['SIPp', 'sipp', ['-v'], /SIPp v([\d.]+)/],
  ['Chromium', 'chromium', ['--version'], /Chromium ([\d.]+)/],
];

const named = (word) => NAMES[word] ?? word.toUpperCase();

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

/** What was tried with each phone: a row for each, with its number; then a row for each feature. */
function phones(rows, results) {
  const number = (index) => String(index + 1);
  const media = ({ peer, security, ice }) => (ice || ['chromium', 'sipjs'].includes(peer) ? `${named(security)}, ICE` : named(security));
  return [
    table(
      ['', 'peer', 'transport', 'media', 'codec', 'digits'],
      rows.map((row, index) => [number(index), named(row.peer), named(row.transport), media(row), named(row.codec), named(row.digits)]),
    ),
    features(rows.map((_, index) => number(index)), results),
  ].join('\n\n');
}

/** A row for each feature, with what each of `heads` made of it. */
function features(heads, results) {
  const names = [...new Set(results.flatMap((cells) => Object.keys(cells)))];
  return table(
    ['', ...heads],
    names.map((name) => [name, ...results.map((cells) => cells[name] ?? 'fail')]),
  );
}

const INTRODUCTION = `# Tried with real peers

Written by \`interop/tests/matrix.test.mjs\`, which \`cargo xtask test --only interop\` runs; a failure fails the run, and
so does a file that is not what the run finds. All peers are programs of others, as Debian has them: baresip and linphonec as
desk phones that say a tone from a file, Chromium with JsSIP 3.0.13 and SIP.js 0.21.2, SIPp as a trunk that echoes sound. The
exchange is one, and the calls are made at once.

*pass* means that after every change (answer, hold, resume, transfer) each side heard the tone of the other again, in sound
that came after the change; that who is held hears the music, and who holds nothing; and that digits came as they were
pressed, each once; where they come as tones, as in a browser, one by one, and pressed again only where the browser says that
it had no time to play what came.`;

/** The whole file, but for the versions. */
export function report({ rows, served, pairs, dialogues, found }) {
  const name = (index) => `${index + 1} ${named(rows[index].peer)}, ${named(rows[index].codec)}`;
  return [
    INTRODUCTION,
    '## Phones and browsers',
    `The other side is Chromium over WSS, with Opus; phones with another codec are transcoded. Digits come from a phone, and go
to it, as events (RFC 4733), by INFO or as tones in its sound, as its \`dtmf_mode\` says. baresip 1.0 has no attended transfer,
and sends no INFO.`,
    phones(rows, found.phones),
    '## Services',
    `Features of \`features.conf\` by digits, pickup by \`*8\`, parking by a transfer to the lot's extension and the space dialled
again, a call refused (486 by baresip and the browsers; linphonec declines with 603, of which Dial makes what Asterisk's makes),
302, MESSAGE, and a lamp (SUBSCRIBE for presence).`,
    features(
      served.map((index) => `${index + 1} ${named(rows[index].peer)}`),
      served.map((_, index) => found.services[index] ?? {}),
    ),
    '## Phones call each other',
    table(
      ['caller', 'called', 'sound both ways'],
      pairs.map(([caller, callee], index) => [name(caller), name(callee), found.pairs[index]]),
    ),
    '## Trunks',
    'The other side is Chromium; the trunk is SIPp with plain RTP and PCMU, known by its address.',
    table(
      ['', 'UDP', 'TCP'],
      dialogues.map((dialogue, index) => [dialogue.name, ...(found.trunks[index] ?? ['fail', 'fail'])]),
    ),
    '## Two exchanges',
    `One registers at the other over TLS, whose certificate it verifies, and calls go over that trunk both ways with SDES and PCMU:
baresip at the one, Chromium at the other.`,
    features(['TLS, SDES'], [found.between]),
  ].join('\n\n');
}

function version([name, program, words, pattern]) {
  let said = '';
  try {
    said = execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    // Some say it and fail.
    said = `${error.stdout}${error.stderr}`;
  }
  const found = pattern.exec(said);
  return [name, found?.[1] ?? found?.[2] ?? 'unknown'];
}

/** Writes the file and says whether it was another one before, but for the versions. */
export async function writeReport(text) {
  const before = await readFile(REPORT, 'utf8').catch(() => '');
  const versions = table(['program', 'version'], PROGRAMS.map(version));
  const own = text.trim();
  await writeFile(REPORT, `${own}\n\n${VERSIONS}\n\n${versions}\n`);
  return before.split(`\n${VERSIONS}`)[0].trim() !== own;
}
