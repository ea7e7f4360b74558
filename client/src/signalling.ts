// What the page needs from a signalling protocol, and nothing of its library.
// `jssip.ts` speaks SIP over WebSocket; tests and the design mock have their own.

/** Who signs in. */
export interface Account {
  user: string;
  password: string;
}

/** How the page stands with the server. */
export type Connection = 'offline' | 'connecting' | 'online' | 'reconnecting';

/** The bare facts of a refusal or an end, as the wire told them. */
export interface Ending {
  /** Who ended it: this page, the far end, or neither (timeouts, lost media). */
  by: 'us' | 'them' | 'system';
  /** SIP status of the final response, if there was one. */
  status: number | null;
  /** The protocol's own words, shown small for developers. */
  cause: string;
}

/** What happens on one call. */
export interface LineEvents {
  peer(pc: RTCPeerConnection): void;
  ringing(): void;
  answered(): void;
  /** The library has switched microphone and camera off or on for a hold. */
  tracksSwitched(): void;
  ended(ending: Ending): void;
}

/** What becomes of a wish to send the other party on to another number. */
export interface TransferEvents {
  /** The exchange is at it: whoever ends the call from now on has been sent on. */
  taken(): void;
  /** It has been done: this call is over for us. */
  done(): void;
  /** The other party stays with us. */
  refused(ending: Ending): void;
}

/** One call, outgoing or incoming. */
export interface Line {
  readonly incoming: boolean;
  /** Number or name of the other party. */
  readonly party: string;
  listen(events: LineEvents): void;
  answer(local: MediaStream | null): void;
  /** Ends the call, gives up calling, or declines, whichever the state asks for. */
  hangup(): void;
  /** Turns an incoming call away because another one is going on. */
  busy(): void;
  digit(digit: string): void;
  /** Puts the other party on hold or takes it back. `false`: not now, since the two sides are agreeing on something. */
  hold(on: boolean): boolean;
  /** Sends the other party on to this number. */
  transfer(number: string, events: TransferEvents): void;
}

/** One message on the wire, for the story drawer. */
export interface WireMessage {
  at: number;
  sent: boolean;
  text: string;
}

export interface SignallingEvents {
  connection(state: Connection): void;
  /** The server said no to this account, or could not be asked. */
  refused(ending: Ending): void;
  incoming(line: Line): void;
  message(message: WireMessage): void;
}

export interface Signalling {
  connect(account: Account, events: SignallingEvents): void;
  disconnect(): void;
  call(number: string, local: MediaStream | null, events: LineEvents): Line;
}
