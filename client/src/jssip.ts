// SIP over WebSocket (RFC 7118) by JsSIP, behind the Signalling interface.

import JsSIP from 'jssip';
import { instanceId } from './instance';
import type { Account, Ending, Line, LineEvents, Signalling, SignallingEvents, TransferEvents } from './signalling';

const REGISTER_EXPIRES_S = 180;
const RECOVERY_S_MIN = 1;
const RECOVERY_S_MAX = 8;
/** Later candidates are found by the connectivity checks themselves, so the INVITE does not wait for them. */
const GATHERING_GRACE_MS = 5;
/** A computer without network addresses gathers for ever; the INVITE goes without candidates then. */
const GATHERING_MS_MAX = 100;
const BUSY_HERE = 486;
const DECLINE = 603;
const TONE_MS = 120;
const TONE_GAP_MS = 70;

const PC_CONFIG: RTCConfiguration = { iceServers: [], bundlePolicy: 'max-bundle' };

type Ua = InstanceType<typeof JsSIP.UA>;
type SipCall = ReturnType<Ua['call']>;

export class SipSignalling implements Signalling {
  private ua: Ua | null = null;

  connect(account: Account, events: SignallingEvents): void {
    this.disconnect();
    const socket = new JsSIP.WebSocketInterface(socketUrl());
    trace(socket, events);
    const ua = new JsSIP.UA({
      sockets: [socket],
      uri: addressOf(account.user),
      password: account.password,
      register: true,
      register_expires: REGISTER_EXPIRES_S,
      instance_id: instanceId(),
      connection_recovery_min_interval: RECOVERY_S_MIN,
      connection_recovery_max_interval: RECOVERY_S_MAX,
      user_agent: 'Sidetone web phone',
    });
    this.ua = ua;
    const current = () => this.ua === ua;

    events.connection('connecting');
    ua.on('registered', () => current() && events.connection('online'));
    ua.on('disconnected', () => current() && events.connection('reconnecting'));
    ua.on('registrationFailed', ({ response, cause }) => {
      if (!current()) return;
      // A socket that died mid-registration is told by `disconnected`, which also tries again.
      if (!response && cause === JsSIP.C.causes.CONNECTION_ERROR) return;
      this.disconnect();
      events.connection('offline');
      events.refused(endingOf('them', response, String(cause ?? '')));
    });
    ua.on('newRTCSession', (event: { originator: string; session: SipCall }) => {
      if (event.originator !== 'remote' || !current()) return;
      events.incoming(new SipLine(event.session, true));
    });
    ua.start();
  }

  disconnect(): void {
    const ua = this.ua;
    this.ua = null;
    ua?.stop();
  }

  call(number: string, local: MediaStream | null, events: LineEvents): Line {
    if (!this.ua) throw new Error('not connected');
    let line: SipLine | null = null;
    // The connection exists before `call` returns; hand it over as soon as there is a line.
    const early: RTCPeerConnection[] = [];
    const session = this.ua.call(addressOf(number), {
      ...mediaOf(local),
      rtcOfferConstraints: { offerToReceiveAudio: true, offerToReceiveVideo: true },
      pcConfig: PC_CONFIG,
      eventHandlers: {
        peerconnection: ({ peerconnection }: { peerconnection: RTCPeerConnection }) => {
          if (!line) early.push(peerconnection);
        },
      },
    });
    line = new SipLine(session, false);
    line.listen(events);
    for (const pc of early) line.adopt(pc, events);
    return line;
  }
}

class SipLine implements Line {
  readonly party: string;

  constructor(
    private readonly session: SipCall,
    readonly incoming: boolean,
  ) {
    const remote = session.remote_identity;
    this.party = remote?.display_name || remote?.uri?.user || '?';
    sendOfferEarly(session);
    keepVoiceMeasurable(session);
  }

  listen(events: LineEvents): void {
    const { session } = this;
    session.on('peerconnection', ({ peerconnection }) => this.adopt(peerconnection, events));
    session.on('progress', () => events.ringing());
    session.on('accepted', () => events.answered());
    session.on('hold', () => events.tracksSwitched());
    session.on('unhold', () => events.tracksSwitched());
    const end = (event: { originator: string; message?: unknown; cause?: string }) =>
      events.ended(endingOf(originator(event.originator), event.message, event.cause ?? ''));
    session.on('failed', end);
    session.on('ended', end);
    // JsSIP says only "WebRTC Error" afterwards; the browser's own words help more.
    for (const name of ['getusermediafailed', 'peerconnection:createofferfailed', 'peerconnection:setremotedescriptionfailed']) {
      session.on(name as 'getusermediafailed', (error: unknown) => console.warn(`sidetone: ${name}`, error));
    }
  }

  adopt(pc: RTCPeerConnection, events: LineEvents): void {
    limitGathering(pc);
    events.peer(pc);
  }

  answer(local: MediaStream | null): void {
    this.session.answer({
      ...mediaOf(local),
      pcConfig: PC_CONFIG,
    });
  }

  hangup(): void {
    this.end(DECLINE);
  }

  busy(): void {
    this.end(BUSY_HERE);
  }

  private end(refusal: number): void {
    if (this.session.isEnded()) return;
    this.session.terminate(this.incoming && !this.session.isEstablished() ? { status_code: refusal } : {});
  }

  digit(digit: string): void {
    const sender = this.session.connection?.getSenders().find((s) => s.track?.kind === 'audio');
    // RTP events (RFC 4733) need a microphone's sender; without one the digit goes by INFO.
    const byRtp = sender?.dtmf?.canInsertDTMF ?? false;
    this.session.sendDTMF(digit, {
      duration: TONE_MS,
      interToneGap: TONE_GAP_MS,
      transportType: (byRtp ? 'RFC2833' : 'INFO') as never,
    });
  }

  hold(on: boolean): boolean {
    return on ? this.session.hold() : this.session.unhold();
  }

  transfer(number: string, events: TransferEvents): void {
    const refused = (message: unknown, cause = '') => events.refused(endingOf('them', message, cause));
    const sent: unknown = this.session.refer(addressOf(number), {
      eventHandlers: {
        requestFailed: ({ response, cause }: { response: unknown; cause?: string }) => refused(response, cause),
        requestSucceeded: () => events.taken(),
        accepted: () => events.done(),
        // What the other one answered, in the first line of the NOTIFY's body (RFC 3515 §2.4.5).
        failed: ({ status_line }: { status_line: object }) => refused(status_line),
      },
    });
    if (sent === false) refused(null);
  }
}

/** JsSIP takes tracks out of the stream it is given, and asks for devices itself unless told not to. */
function mediaOf(local: MediaStream | null): { mediaStream: MediaStream } | { mediaConstraints: MediaStreamConstraints } {
  return local ? { mediaStream: new MediaStream(local.getTracks()) } : { mediaConstraints: { audio: false, video: false } };
}

/** JsSIP waits for the end of gathering unless told otherwise; the first host candidate is enough. */
function sendOfferEarly(session: SipCall): void {
  session.on('icecandidate', ({ candidate, ready }) => {
    if (candidate.type === 'host' || candidate.candidate.includes(' typ host')) {
      setTimeout(ready, GATHERING_GRACE_MS);
    }
  });
}

/**
 * A sound whose SSRC was named, and that was away as in a hold, is played again by Chromium, but handed to nobody who
 * measures it: the meters would stay flat. By its mid it is found without the name.
 */
function keepVoiceMeasurable(session: SipCall): void {
  session.on('sdp', (event: { originator: string; sdp: string }) => {
    if (event.originator !== 'remote') return;
    const parts = event.sdp.split(/^(?=m=)/m);
    event.sdp = parts.map((part) => (part.startsWith('m=audio') ? part.replace(/^a=ssrc(-group)?:.*\r\n/gm, '') : part)).join('');
  });
}

/** JsSIP takes a candidate event without a candidate for the end of gathering, as old browsers said it. */
function limitGathering(pc: RTCPeerConnection): void {
  pc.addEventListener('icegatheringstatechange', () => {
    if (pc.iceGatheringState !== 'gathering') return;
    setTimeout(() => pc.dispatchEvent(new Event('icecandidate')), GATHERING_MS_MAX);
  });
}

function endingOf(by: Ending['by'], message: unknown, cause: string): Ending {
  const sip = message as { status_code?: number; reason_phrase?: string; getHeader?(name: string): string | undefined } | null;
  const status = sip?.status_code ?? null;
  const parts = status ? [`SIP ${status} ${sip?.reason_phrase ?? ''}`.trim()] : [cause];
  for (const name of ['Warning', 'Reason']) {
    const text = sip?.getHeader?.(name);
    if (text) parts.push(text);
  }
  return { by, status, cause: parts.filter(Boolean).join(' · ') };
}

function originator(value: string): Ending['by'] {
  return value === 'local' ? 'us' : value === 'remote' ? 'them' : 'system';
}

/** Shows every message to `events`, whichever connection of this socket carries it. */
function trace(socket: object, events: SignallingEvents): void {
  const wire = socket as { send(message: string): boolean; ondata: (data: string) => void };
  const note = (sent: boolean, data: unknown) => {
    const text = String(data);
    if (text.trim()) events.message({ at: Date.now(), sent, text });
  };
  const send = wire.send.bind(socket);
  wire.send = (message) => {
    note(true, message);
    return send(message);
  };
  // JsSIP assigns its handler anew for every connection.
  let receive: (data: string) => void = () => {};
  Object.defineProperty(wire, 'ondata', {
    get: () => receive,
    set: (handler: (data: string) => void) => {
      receive = (data) => {
        note(false, data);
        handler(data);
      };
    },
  });
}

/** `ws` beside the page, wherever the page is. */
function socketUrl(): string {
  const url = new URL('ws', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = '';
  url.hash = '';
  return url.href;
}

/** A number or name of this exchange; a whole address stays as it is. */
function addressOf(number: string): string {
  if (/^sips?:/i.test(number)) return number;
  if (number.includes('@')) return `sip:${number}`;
  return `sip:${encodeURIComponent(number).replaceAll('%2B', '+')}@${location.hostname}`;
}
