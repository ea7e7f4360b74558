import { describe, expect, it } from 'vitest';
import { FAILURES, failure, failureOfCall, failureOfRegistration } from '../src/failure';
import { failureOfSources, sourceOfError } from '../src/media';
import type { Ending } from '../src/signalling';
import { judge, type MediaFacts } from '../src/watch';

const ending = (part: Partial<Ending>): Ending => ({ by: 'them', status: null, cause: '', ...part });

describe('registration', () => {
  it.each([401, 403, 404, 407])('takes %i for a wrong name or password', (status) => {
    expect(failureOfRegistration(ending({ status })).kind).toBe('wrongPassword');
  });

  it('tells a broken server from a silent one', () => {
    expect(failureOfRegistration(ending({ status: 503 })).kind).toBe('serverError');
    expect(failureOfRegistration(ending({ cause: 'Request Timeout' })).kind).toBe('serverSilent');
    expect(failureOfRegistration(ending({ status: 423 })).kind).toBe('registerFailed');
  });
});

describe('the end of a call', () => {
  it.each([
    [404, 'notFound'],
    [484, 'notFound'],
    [486, 'busy'],
    [600, 'busy'],
    [488, 'notAcceptable'],
    [606, 'notAcceptable'],
    [480, 'unavailable'],
    [408, 'noAnswer'],
    [603, 'declined'],
    [403, 'notAllowed'],
    [500, 'serverError'],
    [503, 'serverError'],
    [420, 'callFailed'],
  ] as const)('explains %i as %s', (status, kind) => {
    expect(failureOfCall(ending({ status }), '999')?.kind).toBe(kind);
  });

  it('explains nothing when somebody hung up', () => {
    expect(failureOfCall(ending({ by: 'them', cause: 'Terminated' }), '246')).toBeNull();
    expect(failureOfCall(ending({ by: 'us', cause: 'Canceled' }), '246')).toBeNull();
  });

  it('names lost media although this page sent the BYE', () => {
    expect(failureOfCall(ending({ by: 'us', cause: 'RTP Timeout' }), '246')?.kind).toBe('mediaBlocked');
  });

  it('keeps the words of the wire', () => {
    expect(failureOfCall(ending({ status: 488, cause: 'SIP 488 Not Acceptable Here' }), '246')?.detail).toContain('488');
  });
});

describe('devices', () => {
  const error = (name: string) => Object.assign(new Error(), { name });

  it('tells a refusal from a missing and from a busy device', () => {
    expect(sourceOfError(error('NotAllowedError'))).toBe('denied');
    expect(sourceOfError(error('NotFoundError'))).toBe('missing');
    expect(sourceOfError(error('NotReadableError'))).toBe('busy');
  });

  it.each([
    ['denied', 'denied', 'denied'],
    ['open', 'denied', 'deniedCamera'],
    ['denied', 'open', 'deniedMicrophone'],
    ['missing', 'missing', 'noDevices'],
    ['open', 'missing', 'noCamera'],
    ['missing', 'open', 'noMicrophone'],
    ['open', 'busy', 'deviceBusy'],
  ] as const)('says what microphone %s and camera %s mean', (audio, video, kind) => {
    expect(failureOfSources({ audio, video }, '')?.kind).toBe(kind);
  });

  it('is content with both', () => {
    expect(failureOfSources({ audio: 'open', video: 'open' }, '')).toBeNull();
  });

  it('leaves the page usable without devices', () => {
    expect(failure('noDevices').grave).toBe(false);
  });
});

describe('media watch', () => {
  const facts = (part: Partial<MediaFacts>): MediaFacts => ({
    ice: 'checking',
    candidates: 2,
    elapsed_ms: 1000,
    connected_ms: null,
    packets: 0,
    expectsMedia: true,
    ...part,
  });

  it('waits before it complains', () => {
    expect(judge(facts({}))).toBeNull();
    expect(judge(facts({ ice: 'connected', connected_ms: 1000, elapsed_ms: 9000 }))).toBeNull();
  });

  it('blames the way when checks find none', () => {
    expect(judge(facts({ elapsed_ms: 6000 }))?.kind).toBe('mediaBlocked');
    expect(judge(facts({ ice: 'failed' }))?.kind).toBe('mediaBlocked');
  });

  it('blames the missing addresses when there are none', () => {
    expect(judge(facts({ elapsed_ms: 6000, candidates: 0 }))?.kind).toBe('noCandidates');
  });

  it('blames the far side when the way is open', () => {
    expect(judge(facts({ ice: 'connected', connected_ms: 6000, elapsed_ms: 9000 }))?.kind).toBe('noPackets');
    expect(judge(facts({ ice: 'connected', connected_ms: 6000, elapsed_ms: 9000, expectsMedia: false }))).toBeNull();
  });

  it('is content with one packet', () => {
    expect(judge(facts({ elapsed_ms: 60_000, packets: 1 }))).toBeNull();
  });
});

it('lists every kind once', () => {
  expect(new Set(FAILURES).size).toBe(FAILURES.length);
});
