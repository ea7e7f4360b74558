// What SIPp says and expects in one call, step by step; `xml()` is its scenario. The same words serve who calls and who is
// called; CSeq and branches are counted here.

/** `-trace_logs` writes this line when SIPp comes to a gate. */
export const gateLine = (number) => `at gate ${number}`;
/** The request that opens a gate: no exchange sends it. */
export const GO = 'GO';
/** The header by which it hands a value over. */
export const handed = (name) => `X-${name}`;
const RETRANSMITTED = ' retrans="500"';
const NAMES = /assign_to="([a-z_,0-9]+)"/g;
const VIA = (branch) => `Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=${branch}`;
const CONTACT = 'Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>';

/** A Contact of its own takes the place of the usual one. */
const withContact = (more) => (more.some((line) => line.startsWith('Contact:')) ? more : [CONTACT, ...more]);

/** `within`: [milliseconds, where it goes on if nothing has come by then]. */
const patience = (within) => (within ? ` timeout="${within[0]}" ontimeout="${within[1]}"` : '');

/** A description of one stream of audio at a voice. */
export function sdp(voice, { direction = 'sendrecv', version = 1, formats = '0', lines = [], address = voice.ip } = {}) {
  const stream = [`m=audio ${voice.port} RTP/AVP ${formats}`, ...lines, `a=${direction}`];
  return { type: 'application/sdp', lines: ['v=0', `o=sipp 1 ${version} IN IP4 ${voice.ip}`, 's=-', `c=IN IP4 ${address}`, 't=0 0', ...stream] };
}

/** What both have in common; by itself, requests and answers outside of calls. */
export class Dialogue {
  constructor() {
    this.steps = [];
    this.index = 0;
    this.cseq = 0;
    this.gates = 0;
    this.checks = 0;
  }

  xml() {
    const text = this.steps.join('\n');
    const names = new Set([...text.matchAll(NAMES)].flatMap(([, found]) => found.split(',')));
    const used = names.size > 0 ? `<Reference variables="${[...names].join(',')}"/>\n` : '';
    return `<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="sidetone">\n${text}\n<label id="end"/>\n${used}</scenario>\n`;
  }

  push(step) {
    this.steps.push(step);
    this.index += 1;
    return this;
  }

  say(first, lines, { body, retransmitted = true, next } = {}) {
    const told = body ? [`Content-Type: ${body.type}`, 'Content-Length: [len]', '', ...body.lines] : ['Content-Length: 0', ''];
    return this.push(`<send${retransmitted ? RETRANSMITTED : ''}${next ? ` next="${next}"` : ''}><![CDATA[\n${[first, ...lines, ...told].join('\n')}\n]]></send>`);
  }

  /** What must be in a header, as an expression; it fails the call if it is not. */
  check([header, expression]) {
    this.checks += 1;
    return `<ereg regexp="${expression.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}" search_in="hdr" header="${header}:" check_it="true" assign_to="check${this.checks}"/>`;
  }

  /** Waits until the test opens it; what the test hands over then stands in `[$name]`. */
  gate(...names) {
    this.gates += 1;
    this.push(`<nop><action><log message="${gateLine(this.gates)}"/></action></nop>`);
    this.copies();
    const taken = names.map((name) => `<ereg regexp="[^ ].*" search_in="hdr" header="${handed(name)}:" assign_to="${name}"/>`);
    return this.push(`<recv request="${GO}">${taken.length > 0 ? `<action>${taken.join('\n')}</action>` : ''}</recv>`);
  }

  /** Stands before what is waited for: copies of requests that a slow machine may send are no reason to end. */
  copies() {}

  pause(ms) {
    return this.push(`<pause milliseconds="${ms}"/>`);
  }

  /** `next` of a step goes on here. */
  label(name) {
    this.steps.push(`<label id="${name}"/>`);
    return this;
  }

  /** The call is over, whatever stands after it. */
  ends() {
    return this.push('<nop next="end"/>');
  }

  /** A request of the exchange. `contact`: its Contact stands in `[$contact]` then. `keep` gives it a name to be answered by when others have come since. */
  takes(method, { has = {}, keep, contact = false, optional = false, next, within } = {}) {
    const actions = Object.entries(has).map((entry) => this.check(entry));
    if (contact) actions.push('<ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" assign_to="contact"/>');
    if (keep) {
      actions.push(`<ereg regexp="SIP.*" search_in="hdr" header="Via:" assign_to="${keep}_via"/>`);
      actions.push(`<ereg regexp="[0-9]+ [A-Z]+" search_in="hdr" header="CSeq:" assign_to="${keep}_cseq"/>`);
    }
    if (!optional) this.copies(method, within);
    const more = `${optional ? ` optional="${optional}"` : ''}${next ? ` next="${next}"` : ''}${patience(within)}`;
    return this.push(`<recv request="${method}"${more}>${actions.length > 0 ? `<action>${actions.join('\n')}</action>` : ''}</recv>`);
  }

  /** Answers the last request that came. */
  answers(status, { body, more = [], retransmitted = false, next } = {}) {
    return this.say(`SIP/2.0 ${status}`, ['[last_Via:]', '[last_From:]', '[last_To:]', '[last_Call-ID:]', '[last_CSeq:]', ...withContact(more)], { body, retransmitted, next });
  }

  /** Answers the request that was kept by this name. */
  answersKept(keep, status, { body, more = [], retransmitted = false, next } = {}) {
    const lines = [`Via: [$${keep}_via]`, `From: ${this.them}`, `To: ${this.me}`, '[last_Call-ID:]', `CSeq: [$${keep}_cseq]`, ...withContact(more)];
    return this.say(`SIP/2.0 ${status}`, lines, { body, retransmitted, next });
  }

  /** A request in the dialog. */
  asks(method, { body, more = [] } = {}) {
    this.cseq += 1;
    if (method === 'INVITE') Object.assign(this, { invitedAt: this.index, invitedWith: this.cseq, invitedTo: '[$target]' });
    return this.say(`${method} [$target] SIP/2.0`, [VIA('[branch]'), 'Max-Forwards: 70', `From: ${this.me}`, `To: ${this.them}`, this.callId, `CSeq: ${this.cseq} ${method}`, ...withContact(more)], { body });
  }

  /** The ACK of a 2xx. */
  acks({ body } = {}) {
    return this.say('ACK [$target] SIP/2.0', [VIA('[branch]'), 'Max-Forwards: 70', `From: ${this.me}`, `To: ${this.them}`, this.callId, `CSeq: ${this.invitedWith} ACK`, CONTACT], { body, retransmitted: false });
  }

  /** The ACK of a refusal: of the same transaction as the INVITE. */
  acksRefusal() {
    const branch = `[branch-${this.index - this.invitedAt}]`;
    return this.say(`ACK ${this.invitedTo} SIP/2.0`, [VIA(branch), 'Max-Forwards: 70', `From: ${this.me}`, '[last_To:]', this.callId, `CSeq: ${this.invitedWith} ACK`], { retransmitted: false });
  }

  /** A response to a request of its own. */
  expects(status, { has = {}, keep, optional = false, next, auth = false, within } = {}) {
    const actions = Object.entries(has).map((entry) => this.check(entry));
    if (keep) actions.push(`<ereg regexp="${keep[2]}" search_in="hdr" header="${keep[1]}:" assign_to="${keep[0]}"/>`);
    if (this.learns && status > 100 && status < 300) {
      actions.push('<ereg regexp="&lt;.*" search_in="hdr" header="To:" assign_to="to"/>');
      actions.push('<ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" assign_to="target"/>');
      if (status >= 200 && !keep) this.learns = false;
    }
    const more = `${optional ? ' optional="true"' : ''}${auth ? ' auth="true"' : ''}${next ? ` next="${next}"` : ''}${patience(within)}`;
    return this.push(`<recv response="${status}"${more}>${actions.length > 0 ? `<action>${actions.join('\n')}</action>` : ''}</recv>`);
  }

  /** A re-INVITE, as far as its 2xx. */
  reinvites({ has, ...what } = {}) {
    return this.asks('INVITE', what).expects(100, { optional: true }).expects(200, { has });
  }

  /** SIPp says something of its own, while it goes on: `play_pcap_audio="…"`, `rtp_stream="…"`. */
  plays(what) {
    return this.push(`<nop><action><exec ${what}/></action></nop>`);
  }

  /** It sends the other party on, and answers whatever NOTIFY comes, and the BYE, until the test lets it end. */
  refers(what) {
    this.gates += 1;
    this.push(`<nop><action><log message="${gateLine(this.gates)}"/></action></nop>`).asks('REFER', what);
    // Global: they may come right behind the 202, and while another one is being answered.
    for (const method of ['NOTIFY', 'BYE']) this.push(`<recv request="${method}" optional="global" next="answer"/>`);
    this.expects(202).label('listen').push(`<recv request="${GO}" next="end"/>`);
    return this.label('answer').answers('200 OK', { next: 'listen' });
  }

  /** It hangs up. */
  leaves() {
    return this.asks('BYE').expects(200);
  }

  /** The exchange hangs up. */
  isLeft({ has } = {}) {
    return this.takes('BYE', { has }).answers('200 OK');
  }
}

/** SIPp calls a number. */
export class Caller extends Dialogue {
  constructor(number, { user = 'sipp', uri = `sip:${number}@[remote_ip]:[remote_port]` } = {}) {
    super();
    Object.assign(this, { uri, me: `<sip:${user}@[local_ip]>;tag=[pid]f[call_number]`, them: '[$to]', callId: 'Call-ID: [call_id]', learns: true });
  }

  /** The first INVITE, or the next try of it. */
  invites({ body, more = [] } = {}) {
    this.cseq += 1;
    Object.assign(this, { invitedAt: this.index, invitedWith: this.cseq, invitedTo: this.uri });
    return this.say(`INVITE ${this.uri} SIP/2.0`, [VIA('[branch]'), 'Max-Forwards: 70', `From: ${this.me}`, `To: <${this.uri}>`, this.callId, `CSeq: ${this.cseq} INVITE`, ...withContact(more)], { body });
  }

  /** A request of no dialog, in a call of its own. */
  asksOutside(method, { body, more = [], uri = this.uri, to = `<${this.uri}>` } = {}) {
    this.cseq += 1;
    return this.say(`${method} ${uri} SIP/2.0`, [VIA('[branch]'), 'Max-Forwards: 70', `From: ${this.me}`, `To: ${to}`, this.callId, `CSeq: ${this.cseq} ${method}`, ...withContact(more)], { body });
  }

  /** What comes next is about the first INVITE again. */
  firstAgain() {
    this.invitedWith = 1;
    return this;
  }

  cancels() {
    const branch = `[branch-${this.index - this.invitedAt}]`;
    return this.say(`CANCEL ${this.uri} SIP/2.0`, [VIA(branch), 'Max-Forwards: 70', `From: ${this.me}`, `To: <${this.uri}>`, this.callId, `CSeq: ${this.invitedWith} CANCEL`]);
  }

  /** What comes before the answer, whatever of it comes. */
  waits() {
    return this.expects(100, { optional: true }).expects(180, { optional: true }).expects(183, { optional: true });
  }

  /** A provisional answer that it acknowledges (RFC 3262). */
  pracks(status) {
    this.expects(status, { has: { Require: '100rel' }, keep: ['rseq', 'RSeq', '[0-9]+'] });
    return this.asks('PRACK', { more: [`RAck: [$rseq] ${this.invitedWith} INVITE`] }).expects(200);
  }

  /** Any number of these provisional answers. */
  skips(...statuses) {
    this.push('<recv response="100" optional="global"/>');
    for (const status of statuses) this.push(`<recv response="${status}" optional="global"/>`);
    return this;
  }

  /** A 200, of which it is seen what it answers: `next` if that is the INVITE. */
  expectsEither(next) {
    this.push('<recv response="200"><action><ereg regexp="INVITE" search_in="hdr" header="CSeq:" assign_to="answered"/></action></recv>');
    return this.push(`<nop test="answered" next="${next}"/>`);
  }

  /** Calls and is answered. */
  calls({ body, more, has } = {}) {
    return this.invites({ body, more }).waits().expects(200, { has }).acks();
  }
}

/** SIPp is called. */
export class Callee extends Dialogue {
  constructor() {
    super();
    Object.assign(this, { me: '[$to];tag=[pid]t[call_number]', them: '[$from]', callId: '[last_Call-ID:]' });
  }

  /** Takes the INVITE, and remembers who calls from where. */
  isCalled({ has = {} } = {}) {
    this.isSettled = false;
    const actions = Object.entries(has).map((entry) => this.check(entry));
    return this.push(`<recv request="INVITE"><action>
<ereg regexp="&lt;.*" search_in="hdr" header="From:" assign_to="from"/>
<ereg regexp="&lt;.*" search_in="hdr" header="To:" assign_to="to"/>
<ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" assign_to="target"/>
<ereg regexp="SIP.*" search_in="hdr" header="Via:" assign_to="invite_via"/>
<ereg regexp="[0-9]+ INVITE" search_in="hdr" header="CSeq:" assign_to="invite_cseq"/>
${actions.join('\n')}</action></recv>`);
  }

  /** Answers the INVITE, whatever has come since; again, until something comes, if it is final. */
  replies(status, { body, more, next, retransmitted = !status.startsWith('1') } = {}) {
    return this.answersKept('invite', status, { body, more, next, retransmitted });
  }

  copies(waited, within) {
    if (this.isSettled) return;
    for (const method of ['INVITE', ...(this.wasCancelled ? ['CANCEL'] : [])]) this.push(`<recv request="${method}" optional="true"${patience(within)}/>`);
    this.wasCancelled ||= waited === 'CANCEL';
    this.isSettled = waited === 'ACK';
  }

  /** Another phone behind the same proxy speaks from now on: it has a tag of its own. */
  isAlso(tag) {
    this.me = `[$to];tag=[pid]${tag}[call_number]`;
    return this;
  }

  /** Rings and answers. */
  picksUp({ body, more, has } = {}) {
    return this.isCalled({ has }).replies('180 Ringing').replies('200 OK', { body, more }).takes('ACK');
  }

  /** Refuses the call. */
  refuses(status, { more } = {}) {
    return this.isCalled().replies(status, { more }).takes('ACK');
  }

  /** Rings until it is told that no more. */
  isCancelled({ has } = {}) {
    return this.takes('CANCEL', { has }).answers('200 OK').replies('487 Request Terminated').takes('ACK');
  }
}
