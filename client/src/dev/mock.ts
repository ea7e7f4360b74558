// A server made of paint, for looking at the page: `vite dev`, then `/?mock=talking`.

import type { Account, Line, LineEvents, Signalling, SignallingEvents, TransferEvents } from '../signalling';

const STATUS: Record<string, number> = { notfound: 404, busy: 486, notacceptable: 488, noanswer: 480 };

export class MockSignalling implements Signalling {
  constructor(private readonly scene: string) {}

  connect(_account: Account, events: SignallingEvents): void {
    events.connection('connecting');
    setTimeout(() => {
      if (this.scene === 'password') {
        events.connection('offline');
        return events.refused({ by: 'them', status: 403, cause: 'SIP 403 Forbidden' });
      }
      if (this.scene === 'connecting') return;
      events.connection('online');
      if (this.scene === 'gone') setTimeout(() => events.connection('reconnecting'), 100);
      if (this.scene === 'incoming') events.incoming(new MockLine(true, 'bob', this.scene));
      events.message({ at: Date.now(), sent: true, text: 'REGISTER sip:localhost SIP/2.0\r\nCSeq: 1 REGISTER\r\n\r\n' });
      events.message({ at: Date.now(), sent: false, text: 'SIP/2.0 200 OK\r\nCSeq: 1 REGISTER\r\n\r\n' });
    }, 50);
  }

  disconnect(): void {}

  call(number: string, local: MediaStream | null, events: LineEvents): Line {
    const line = new MockLine(false, number, this.scene);
    line.listen(events);
    line.start(local);
    return line;
  }
}

class MockLine implements Line {
  private events: LineEvents | null = null;

  constructor(
    readonly incoming: boolean,
    readonly party: string,
    private readonly scene: string,
  ) {}

  listen(events: LineEvents): void {
    this.events = events;
  }

  start(local: MediaStream | null): void {
    const status = STATUS[this.scene];
    const events = this.events;
    if (!events || this.scene === 'calling') return;
    if (status) return void setTimeout(() => events.ended({ by: 'them', status, cause: `SIP ${status} Not Found` }), 50);
    const pc = new EventTarget() as RTCPeerConnection;
    Object.assign(pc, {
      iceConnectionState: this.scene === 'blocked' ? 'checking' : 'connected',
      localDescription: { sdp: 'a=candidate:1\r\n' },
      getStats: async () => new Map([['a', { type: 'inbound-rtp', packetsReceived: this.scene === 'blocked' ? 0 : 1 }]]),
      getTransceivers: () => [],
      getSenders: () => [],
    });
    events.peer(pc);
    events.answered();
    const sound = local?.getAudioTracks()[0];
    if (this.scene === 'voice' && sound) {
      const track = sound.clone();
      pc.dispatchEvent(Object.assign(new Event('track'), { track, streams: [new MediaStream([track])] }));
      return;
    }
    const picture = local?.getVideoTracks()[0];
    if (this.scene === 'blocked' || !picture) return;
    const count = Number(new URLSearchParams(location.search).get('tiles') ?? 4);
    for (let n = 0; n < count; n += 1) {
      const track = picture.clone();
      pc.dispatchEvent(Object.assign(new Event('track'), { track, streams: [new MediaStream([track])] }));
    }
  }

  answer(local: MediaStream | null): void {
    this.start(local);
  }

  hangup(): void {}
  busy(): void {}
  digit(): void {}

  hold(): boolean {
    return true;
  }

  transfer(number: string, events: TransferEvents): void {
    if (this.scene === 'transferfailed') events.refused({ by: 'them', status: 404, cause: 'SIP 404 Not Found' });
    else if (number !== '999') events.done();
  }
}
