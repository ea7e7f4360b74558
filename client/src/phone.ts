// The telephone itself: one account, one call, and the one failure worth showing.

import { computed, effect, signal } from '@preact/signals';
import type { ClientConfig } from './config';
import { failure, failureOfCall, failureOfRegistration, type Failure } from './failure';
import { LocalMedia } from './media';
import { Roster } from './roster';
import { readSetting, writeSetting } from './settings';
import type { Account, Connection, Ending, Line, LineEvents, Signalling, WireMessage } from './signalling';
import { watchMedia } from './watch';

export type CallPhase = 'idle' | 'incoming' | 'calling' | 'ringing' | 'talking';

const DEFAULT_NUMBER = '246';
const STORY_MESSAGES_MAX = 200;
/** How long a hold waits for the two sides to have agreed on what they are agreeing on. */
const HOLD_TRIES_MAX = 30;
const HOLD_RETRY_MS = 100;

export class Phone {
  readonly media = new LocalMedia();
  readonly roster = new Roster();

  readonly connection = signal<Connection>('offline');
  readonly account = signal<Account>({ user: readSetting('user') ?? '', password: '' });
  readonly number = signal(readSetting('number') ?? DEFAULT_NUMBER);
  readonly phase = signal<CallPhase>('idle');
  readonly party = signal('');
  readonly answeredAt = signal<number | null>(null);
  readonly digits = signal('');
  /** The other party is on hold. */
  readonly held = signal(false);
  /** The number the other party is being sent to. */
  readonly transferring = signal('');
  /** Where the other party of the last call was sent. */
  readonly sentTo = signal('');
  readonly story = signal<readonly WireMessage[]>([]);

  private readonly trouble = signal<Failure | null>(null);
  private readonly standing = signal<Failure | null>(null);
  private readonly dismissed = signal<Failure | null>(null);

  /** The failure to show: what just happened, else what is wrong with this computer. */
  readonly failure = computed<Failure | null>(() => {
    const shown = this.trouble.value ?? this.standing.value ?? this.media.failure.value;
    return shown === this.dismissed.value ? null : shown;
  });

  private line: Line | null = null;
  /** Which call is the present one: a call that was hung up may still speak while it ends on the wire. */
  private calls = 0;
  private pc: RTCPeerConnection | null = null;
  private stopWatching = () => {};
  /** The exchange has taken the wish to transfer. */
  private transferTaken = false;

  constructor(private readonly signalling: Signalling) {
    this.media.onReplaced = (kind, track) => void this.replace(kind, track);
    effect(() => writeSetting('number', this.number.value));
  }

  peerConnection(): RTCPeerConnection | null {
    return this.pc;
  }

  /** Takes the server's word; in demo mode the first account is already filled in. */
  configure(config: ClientConfig): void {
    this.standing.value = standingFailure(config);
    const accounts = config.demo?.accounts ?? [];
    const known = accounts.find(({ user }) => user === this.account.value.user) ?? accounts[0];
    if (known) this.account.value = known;
  }

  connect(): void {
    this.clearTrouble();
    const { user } = this.account.value;
    writeSetting('user', user);
    void this.media.open();
    this.signalling.connect(this.account.value, {
      connection: (state) => this.onConnection(state),
      refused: (ending) => {
        this.trouble.value = failureOfRegistration(ending);
        this.media.close();
      },
      incoming: (line) => this.onIncoming(line),
      message: (message) => {
        this.story.value = [...this.story.value.slice(1 - STORY_MESSAGES_MAX), message];
      },
    });
  }

  disconnect(): void {
    this.hangup();
    this.signalling.disconnect();
    this.connection.value = 'offline';
    this.media.close();
    this.clearTrouble();
  }

  async call(): Promise<void> {
    const number = this.number.value.trim();
    if (this.phase.value !== 'idle' || this.connection.value !== 'online' || !number) return;
    this.clearTrouble();
    this.phase.value = 'calling';
    this.party.value = number;
    const local = await this.media.ready();
    // Hung up while the browser was still asking for the microphone.
    if (this.phase.value !== 'calling') return;
    try {
      this.line = this.signalling.call(number, local, this.lineEvents());
    } catch (error) {
      this.trouble.value = failure('webRtcError', String(error));
      this.reset();
    }
  }

  async answer(): Promise<void> {
    const line = this.line;
    if (!line || this.phase.value !== 'incoming') return;
    this.clearTrouble();
    this.phase.value = 'calling';
    const local = await this.media.ready();
    if (this.line === line) line.answer(local);
  }

  hangup(): void {
    const line = this.line;
    this.reset();
    line?.hangup();
  }

  /** A key of the pad: part of the number before the call, a tone in it. */
  press(key: string): void {
    if (this.phase.value === 'talking' && !this.held.value) {
      this.digits.value += key;
      this.line?.digit(key);
    } else if (this.phase.value === 'idle') {
      this.number.value += key;
    }
  }

  /** Puts the other party on hold, or takes it back. */
  toggleHold(tries = HOLD_TRIES_MAX): void {
    const { line } = this;
    if (!line || this.phase.value !== 'talking') return;
    const on = !this.held.value;
    if (line.hold(on)) {
      this.held.value = on;
      this.media.pause(on);
    } else if (tries > 0) {
      const call = this.calls;
      setTimeout(() => this.calls === call && this.held.value !== on && this.toggleHold(tries - 1), HOLD_RETRY_MS);
    }
  }

  /** Sends the other party on to this number; the call ends here when that is done. */
  transfer(wish: string): void {
    const number = wish.trim();
    const { line, calls } = this;
    if (!line || this.phase.value !== 'talking' || this.transferring.value || !number) return;
    this.clearTrouble();
    this.transferring.value = number;
    this.transferTaken = false;
    const current = () => this.calls === calls;
    line.transfer(number, {
      taken: () => {
        if (current()) this.transferTaken = true;
      },
      done: () => {
        if (!current()) return;
        this.hangup();
        this.sentTo.value = number;
      },
      refused: ({ cause }) => {
        if (!current()) return;
        this.transferring.value = '';
        this.trouble.value = failure('transferFailed', cause, number);
      },
    });
  }

  dismiss(): void {
    this.dismissed.value = this.failure.value;
    this.trouble.value = null;
  }

  remedy(): void {
    switch (this.failure.value?.remedy) {
      case 'connect':
        return this.connect();
      case 'call':
        return void this.call();
      case 'media':
        return void this.media.open();
      default:
        return;
    }
  }

  private onConnection(state: Connection): void {
    this.connection.value = state;
    if (state === 'reconnecting') this.trouble.value = failure('serverGone');
    else if (state === 'online' && this.trouble.value?.kind === 'serverGone') this.trouble.value = null;
  }

  private onIncoming(line: Line): void {
    if (this.phase.value !== 'idle') return line.busy();
    this.clearTrouble();
    this.line = line;
    this.party.value = line.party;
    this.phase.value = 'incoming';
    line.listen(this.lineEvents());
  }

  private lineEvents(): LineEvents {
    const call = ++this.calls;
    const current = () => this.calls === call;
    return {
      peer: (pc) => {
        if (!current()) return;
        this.pc = pc;
        this.roster.follow(pc);
      },
      ringing: () => {
        if (current() && this.phase.value === 'calling') this.phase.value = 'ringing';
      },
      answered: () => {
        if (current()) this.onAnswered();
      },
      tracksSwitched: () => {
        if (current()) this.media.applyEnabled();
      },
      ended: (ending) => {
        if (current()) this.onEnded(ending);
      },
    };
  }

  private onAnswered(): void {
    this.phase.value = 'talking';
    this.answeredAt.value = Date.now();
    if (!this.pc) return;
    this.stopWatching = watchMedia(this.pc, (verdict) => {
      this.trouble.value = verdict;
    });
  }

  private onEnded(ending: Ending): void {
    // A caller who gives up leaves nothing to explain.
    const missed = this.phase.value === 'incoming';
    const noCandidates = this.trouble.value?.kind === 'noCandidates';
    const party = this.party.value;
    // The exchange ends the call by itself once the other party is on its way.
    const sentTo = ending.by === 'them' && this.transferTaken ? this.transferring.value : '';
    this.reset();
    this.sentTo.value = sentTo;
    if (!missed) this.trouble.value = noCandidates ? failure('noCandidates', ending.cause) : failureOfCall(ending, party);
  }

  private reset(): void {
    this.stopWatching();
    this.stopWatching = () => {};
    this.calls += 1;
    this.line = null;
    this.pc = null;
    this.roster.clear();
    this.phase.value = 'idle';
    this.party.value = '';
    this.digits.value = '';
    this.held.value = false;
    this.transferring.value = '';
    this.transferTaken = false;
    this.media.pause(false);
    this.answeredAt.value = null;
  }

  private async replace(kind: string, track: MediaStreamTrack): Promise<void> {
    const transceiver = this.pc?.getTransceivers().find(
      ({ sender, receiver, direction }) =>
        sender.track?.kind === kind || (receiver.track.kind === kind && direction === 'sendrecv'),
    );
    await transceiver?.sender.replaceTrack(track);
  }

  private clearTrouble(): void {
    this.trouble.value = null;
    this.dismissed.value = null;
    this.sentTo.value = '';
  }
}

/** What is wrong before anybody presses anything. */
function standingFailure(config: ClientConfig): Failure | null {
  if (typeof RTCPeerConnection === 'undefined') return failure('noWebRtc', navigator.userAgent);
  if (!window.isSecureContext) return failure('insecure', location.origin);
  if (config.loopbackOnly) return failure('loopbackOnly', 'loopback_only');
  return null;
}
