import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Ending, Line, LineEvents, Signalling, SignallingEvents, TransferEvents } from '../src/signalling';

// The page's own storage and address, which a telephone reads when it is made.
vi.stubGlobal('localStorage', { getItem: () => null, setItem: () => {} });
vi.stubGlobal('location', { search: '', origin: 'http://localhost' });
vi.stubGlobal('navigator', { language: 'en' });
vi.stubGlobal('window', { isSecureContext: true });

const { Phone } = await import('../src/phone');

/** A line that does as it is told, and tells what it was. */
class Wire implements Line {
  readonly incoming = true;
  readonly party = 'bob';
  readonly told: string[] = [];
  ready = true;
  events!: LineEvents;
  transferred!: TransferEvents;

  listen(events: LineEvents) {
    this.events = events;
  }
  answer() {
    this.events.answered();
  }
  hangup() {
    this.told.push('hangup');
  }
  busy() {}
  digit(digit: string) {
    this.told.push(digit);
  }
  hold(on: boolean) {
    if (this.ready) this.told.push(on ? 'hold' : 'resume');
    return this.ready;
  }
  transfer(number: string, events: TransferEvents) {
    this.told.push(`transfer ${number}`);
    this.transferred = events;
  }
}

class Exchange implements Signalling {
  connect(_: unknown, events: SignallingEvents) {
    events.connection('online');
    events.incoming(this.line);
  }
  disconnect() {}
  call(): Line {
    throw new Error('nobody calls');
  }
  constructor(private readonly line: Line) {}
}

const gone: Ending = { by: 'them', status: null, cause: 'Terminated' };
let wire: Wire;
let phone: InstanceType<typeof Phone>;
const track = { kind: 'audio', enabled: true } as MediaStreamTrack;

beforeEach(async () => {
  vi.useFakeTimers();
  wire = new Wire();
  phone = new Phone(new Exchange(wire));
  phone.connect();
  phone.media.stream.value = { getTracks: () => [track] } as MediaStream;
  await phone.answer();
  phone.media.failure.value = null;
  phone.media.setEnabled('audio', true);
});

describe('hold', () => {
  it('is pressed again to go on, and nothing is said meanwhile', () => {
    phone.toggleHold();
    expect(phone.held.value).toBe(true);
    expect(track.enabled).toBe(false);
    phone.press('1');
    phone.toggleHold();
    expect(phone.held.value).toBe(false);
    expect(track.enabled).toBe(true);
    expect(wire.told).toEqual(['hold', 'resume']);
  });

  it('leaves the microphone off that was off, whatever the library switches', () => {
    phone.media.setEnabled('audio', false);
    phone.toggleHold();
    phone.toggleHold();
    track.enabled = true;
    wire.events.tracksSwitched();
    expect(track.enabled).toBe(false);
  });

  it('does not let the microphone be heard that is switched on in it', () => {
    phone.toggleHold();
    phone.media.setEnabled('audio', false);
    phone.media.setEnabled('audio', true);
    expect(track.enabled).toBe(false);
    phone.toggleHold();
    expect(track.enabled).toBe(true);
  });

  it('waits until the two sides have agreed on something else', () => {
    wire.ready = false;
    phone.toggleHold();
    expect(phone.held.value).toBe(false);
    wire.ready = true;
    vi.advanceTimersByTime(100);
    expect(phone.held.value).toBe(true);
    expect(wire.told).toEqual(['hold']);
  });

  it('ends with the call', () => {
    phone.toggleHold();
    wire.events.ended(gone);
    expect(phone.held.value).toBe(false);
    expect(track.enabled).toBe(true);
  });
});

describe('transfer', () => {
  it('ends the call when it is done, and says where to', () => {
    phone.transfer(' 300 ');
    expect(phone.transferring.value).toBe('300');
    wire.transferred.done();
    expect(wire.told).toEqual(['transfer 300', 'hangup']);
    expect(phone.phase.value).toBe('idle');
    expect(phone.sentTo.value).toBe('300');
  });

  it('is done as well when the exchange ends the call first', () => {
    phone.transfer('300');
    wire.transferred.taken();
    wire.events.ended(gone);
    expect(phone.sentTo.value).toBe('300');
    expect(phone.failure.value).toBeNull();
  });

  it('has led nowhere when the other party hangs up before the exchange has taken it', () => {
    phone.transfer('300');
    wire.events.ended(gone);
    expect(phone.sentTo.value).toBe('');
  });

  it('that is refused leaves the call as it was, and another can be tried', () => {
    phone.transfer('999');
    wire.transferred.refused({ by: 'them', status: 404, cause: 'SIP 404 Not Found' });
    expect(phone.phase.value).toBe('talking');
    expect(phone.failure.value).toMatchObject({ kind: 'transferFailed', party: '999', grave: false });
    phone.transfer('300');
    expect(phone.failure.value).toBeNull();
    expect(wire.told).toEqual(['transfer 999', 'transfer 300']);
  });

  it('needs a number, and is asked for once', () => {
    phone.transfer('  ');
    phone.transfer('300');
    phone.transfer('301');
    expect(wire.told).toEqual(['transfer 300']);
  });
});
