// Every way a call can go wrong, by the sentence a person needs, not by the layer it came from.
// The sentences are `failure.<kind>` and `failure.<kind>.next` in the dictionaries.

import type { Ending } from './signalling';

export const FAILURES = [
  'noWebRtc',
  'insecure',
  'loopbackOnly',
  'noDevices',
  'noCamera',
  'noMicrophone',
  'denied',
  'deniedCamera',
  'deniedMicrophone',
  'deviceBusy',
  'wrongPassword',
  'registerFailed',
  'serverGone',
  'serverSilent',
  'serverError',
  'notFound',
  'notAllowed',
  'notAcceptable',
  'busy',
  'noAnswer',
  'declined',
  'unavailable',
  'noCandidates',
  'mediaBlocked',
  'noPackets',
  'webRtcError',
  'transferFailed',
  'callFailed',
] as const;

export type FailureKind = (typeof FAILURES)[number];

export type Remedy = 'connect' | 'call' | 'media' | null;

export interface Failure {
  kind: FailureKind;
  /** A warning leaves the page usable; an error ended something. */
  grave: boolean;
  /** The protocol's or the browser's own words. */
  detail: string;
  /** What one press can try next. */
  remedy: Remedy;
  /** The number or name that was called, for the sentence. */
  party: string;
}

const WARNINGS: ReadonlySet<FailureKind> = new Set([
  'loopbackOnly', 'noDevices', 'noCamera', 'noMicrophone', 'denied', 'deniedCamera', 'deniedMicrophone', 'deviceBusy',
  'busy', 'noAnswer', 'declined', 'unavailable', 'transferFailed',
]);

const REMEDIES: Partial<Record<FailureKind, Remedy>> = {
  noDevices: 'media',
  noCamera: 'media',
  noMicrophone: 'media',
  denied: 'media',
  deniedCamera: 'media',
  deniedMicrophone: 'media',
  deviceBusy: 'media',
  registerFailed: 'connect',
  serverSilent: 'connect',
  busy: 'call',
  noAnswer: 'call',
  declined: 'call',
  unavailable: 'call',
};

export function failure(kind: FailureKind, detail = '', party = ''): Failure {
  return { kind, grave: !WARNINGS.has(kind), detail, remedy: REMEDIES[kind] ?? null, party };
}

/** Why the server did not take our registration. */
export function failureOfRegistration(ending: Ending): Failure {
  const { status, cause } = ending;
  if (status === 401 || status === 403 || status === 407 || status === 404) return failure('wrongPassword', cause);
  if (status !== null && status >= 500) return failure('serverError', cause);
  if (status === null || status === 408) return failure('serverSilent', cause);
  return failure('registerFailed', cause);
}

/** Why a call ended; `null` when it simply ended. */
export function failureOfCall(ending: Ending, party: string): Failure | null {
  const { by, status, cause } = ending;
  if (status !== null && status >= 300) return failure(kindOfStatus(status), cause, party);
  if (/RTP Timeout/i.test(cause)) return failure('mediaBlocked', cause);
  if (/WebRTC Error|Bad Media|Missing SDP|Incompatible SDP/i.test(cause)) return failure('webRtcError', cause);
  if (/Connection Error/i.test(cause)) return failure('serverGone', cause);
  if (/Request Timeout|No ACK|Dialog Error/i.test(cause)) return failure('serverSilent', cause);
  if (/No Answer|Expires/i.test(cause)) return failure('noAnswer', cause, party);
  return by === 'system' ? failure('callFailed', cause) : null;
}

function kindOfStatus(status: number): FailureKind {
  switch (status) {
    case 401:
    case 407:
      return 'wrongPassword';
    case 403:
      return 'notAllowed';
    case 404:
    case 484:
    case 604:
      return 'notFound';
    case 408:
    case 487:
      return 'noAnswer';
    case 410:
    case 480:
      return 'unavailable';
    case 415:
    case 488:
    case 606:
      return 'notAcceptable';
    case 486:
    case 600:
      return 'busy';
    case 603:
      return 'declined';
    default:
      return status >= 500 && status < 600 ? 'serverError' : 'callFailed';
  }
}
