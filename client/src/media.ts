// The camera and the microphone of this computer. They are opened when the page connects, so that a
// call starts at once, and closed when it disconnects. A missing or refused one is a fact, not an end.

import { signal } from '@preact/signals';
import { failure, type Failure } from './failure';
import { readSetting, writeSetting } from './settings';

export type Source = 'closed' | 'asking' | 'open' | 'missing' | 'denied' | 'busy';
export type Kind = 'audio' | 'video';

export interface Device {
  id: string;
  label: string;
}

/** Facts about both sources after they were asked for. */
export interface Sources {
  audio: Source;
  video: Source;
}

export class LocalMedia {
  readonly stream = signal<MediaStream | null>(null);
  readonly sources = signal<Sources>({ audio: 'closed', video: 'closed' });
  readonly failure = signal<Failure | null>(null);
  readonly microphones = signal<Device[]>([]);
  readonly cameras = signal<Device[]>([]);
  readonly microphone = signal(readSetting('microphone') ?? '');
  readonly camera = signal(readSetting('camera') ?? '');
  readonly microphoneOn = signal(true);
  readonly cameraOn = signal(true);
  /** Echo cancelling, noise suppression and gain control by the browser; off for music and measurements. */
  readonly processing = signal(!processingOffByAddress() && readSetting('processing') !== 'off');
  /** While the other party is on hold it hears and sees nothing of this side, whatever the switches say. */
  readonly paused = signal(false);

  private opening: Promise<void> | null = null;
  /** Counts closings: an answer of the browser that comes after one is too late. */
  private closings = 0;
  /** Called for a new track while a call may be using the old one. */
  onReplaced: (kind: Kind, track: MediaStreamTrack) => void = () => {};

  constructor() {
    navigator.mediaDevices?.addEventListener?.('devicechange', () => void this.list());
  }

  /** Opens what is there; resolves when it is known what there is. */
  open(): Promise<void> {
    if (this.opening) return this.opening;
    const opening = this.acquire().finally(() => {
      if (this.opening === opening) this.opening = null;
    });
    this.opening = opening;
    return opening;
  }

  /** Ready for a call: waits for a question the browser is still asking. */
  async ready(): Promise<MediaStream | null> {
    if (this.opening) await this.opening;
    else if (!this.stream.value) await this.open();
    return this.stream.value;
  }

  close(): void {
    this.closings += 1;
    this.opening = null;
    for (const track of this.stream.value?.getTracks() ?? []) track.stop();
    this.stream.value = null;
    this.sources.value = { audio: 'closed', video: 'closed' };
    this.failure.value = null;
  }

  setEnabled(kind: Kind, on: boolean): void {
    (kind === 'audio' ? this.microphoneOn : this.cameraOn).value = on;
    this.applyEnabled();
  }

  pause(on: boolean): void {
    this.paused.value = on;
    this.applyEnabled();
  }

  async choose(kind: Kind, id: string): Promise<void> {
    (kind === 'audio' ? this.microphone : this.camera).value = id;
    writeSetting(kind === 'audio' ? 'microphone' : 'camera', id);
    await this.reopen(kind);
  }

  async setProcessing(on: boolean): Promise<void> {
    this.processing.value = on;
    writeSetting('processing', on ? 'on' : 'off');
    await this.reopen('audio');
  }

  private async acquire(): Promise<void> {
    const devices = navigator.mediaDevices;
    if (!devices?.getUserMedia) {
      this.sources.value = { audio: 'missing', video: 'missing' };
      this.failure.value = failure('insecure', location.origin);
      return;
    }
    const closings = this.closings;
    const present = await kindsPresent();
    if (closings !== this.closings) return;
    this.sources.value = {
      audio: present.audio ? 'asking' : 'missing',
      video: present.video ? 'asking' : 'missing',
    };
    const { tracks, sources, detail } = await this.request(this.sources.value);
    if (closings !== this.closings) {
      for (const track of tracks) track.stop();
      return;
    }
    for (const track of this.stream.value?.getTracks() ?? []) track.stop();
    this.stream.value = tracks.length > 0 ? new MediaStream(tracks) : null;
    this.sources.value = sources;
    this.failure.value = failureOfSources(sources, detail);
    this.watch(tracks);
    this.applyEnabled();
    for (const track of tracks) this.onReplaced(track.kind as Kind, track);
    await this.list();
  }

  /** One question for both, then one by one: a broken camera must not cost the microphone. */
  private async request(want: Sources): Promise<{ tracks: MediaStreamTrack[]; sources: Sources; detail: string }> {
    const sources = { ...want };
    const kinds = (['audio', 'video'] as const).filter((kind) => want[kind] === 'asking');
    if (kinds.length === 2) {
      try {
        const both = await navigator.mediaDevices.getUserMedia({ audio: this.constraints('audio'), video: this.constraints('video') });
        return { tracks: both.getTracks(), sources: { audio: 'open', video: 'open' }, detail: '' };
      } catch (error) {
        if (sourceOfError(error) === 'denied' && !(await oneIsAllowed())) {
          return { tracks: [], sources: { audio: 'denied', video: 'denied' }, detail: words(error) };
        }
      }
    }
    const tracks: MediaStreamTrack[] = [];
    let detail = '';
    for (const kind of kinds) {
      try {
        const stream = await navigator.mediaDevices.getUserMedia({ [kind]: this.constraints(kind) });
        tracks.push(...stream.getTracks());
        sources[kind] = 'open';
      } catch (error) {
        sources[kind] = sourceOfError(error);
        detail = words(error);
      }
    }
    return { tracks, sources, detail };
  }

  private async reopen(kind: Kind): Promise<void> {
    const stream = this.stream.value;
    if (!stream) return this.open();
    try {
      const fresh = await navigator.mediaDevices.getUserMedia({ [kind]: this.constraints(kind) });
      const track = fresh.getTracks()[0];
      if (!track) return;
      const kept = stream.getTracks().filter((old) => old.kind !== kind);
      for (const old of stream.getTracks()) if (old.kind === kind) old.stop();
      this.stream.value = new MediaStream([...kept, track]);
      this.sources.value = { ...this.sources.value, [kind]: 'open' };
      this.failure.value = failureOfSources(this.sources.value, '');
      this.watch([track]);
      this.applyEnabled();
      this.onReplaced(kind, track);
    } catch (error) {
      this.failure.value = failureOfSources({ ...this.sources.value, [kind]: sourceOfError(error) }, words(error));
    }
  }

  private constraints(kind: Kind): MediaTrackConstraints {
    if (kind === 'video') {
      return { ...preferred(this.camera.value), width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };
    }
    const on = this.processing.value;
    return { ...preferred(this.microphone.value), echoCancellation: on, noiseSuppression: on, autoGainControl: on };
  }

  /** A device pulled out of its socket ends its track. */
  private watch(tracks: MediaStreamTrack[]): void {
    for (const track of tracks) {
      track.addEventListener('ended', () => {
        if (!this.stream.value?.getTracks().includes(track)) return;
        this.sources.value = { ...this.sources.value, [track.kind]: 'missing' };
        this.failure.value = failureOfSources(this.sources.value, '');
      });
    }
  }

  applyEnabled(): void {
    for (const track of this.stream.value?.getTracks() ?? []) {
      const on = track.kind === 'audio' ? this.microphoneOn.value : this.cameraOn.value;
      track.enabled = on && !this.paused.value;
    }
  }

  private async list(): Promise<void> {
    const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    const of = (kind: MediaDeviceKind) =>
      all.filter((device) => device.kind === kind && device.deviceId !== '').map(({ deviceId, label }) => ({ id: deviceId, label }));
    this.microphones.value = of('audioinput');
    this.cameras.value = of('videoinput');
  }
}

/** The sentence for what is missing; `null` when both are open. */
export function failureOfSources({ audio, video }: Sources, detail: string): Failure | null {
  if (audio === 'denied' && video === 'denied') return failure('denied', detail);
  if (audio === 'denied') return failure('deniedMicrophone', detail);
  if (video === 'denied') return failure('deniedCamera', detail);
  if (audio === 'busy' || video === 'busy') return failure('deviceBusy', detail);
  if (audio === 'missing' && video === 'missing') return failure('noDevices', detail);
  if (audio === 'missing') return failure('noMicrophone', detail);
  if (video === 'missing') return failure('noCamera', detail);
  return null;
}

export function sourceOfError(error: unknown): Source {
  switch ((error as DOMException)?.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing';
    default:
      return 'busy';
  }
}

async function kindsPresent(): Promise<{ audio: boolean; video: boolean }> {
  const all = await navigator.mediaDevices.enumerateDevices();
  const has = (kind: MediaDeviceKind) => all.some((device) => device.kind === kind);
  return { audio: has('audioinput'), video: has('videoinput') };
}

/** Whether a refusal of both may have been about one of them only. */
async function oneIsAllowed(): Promise<boolean> {
  try {
    const states = await Promise.all(
      ['camera', 'microphone'].map((name) => navigator.permissions.query({ name: name as PermissionName })),
    );
    return states.some(({ state }) => state === 'granted') || new Set(states.map(({ state }) => state)).size > 1;
  } catch {
    return false;
  }
}

/** `ideal`, so that a device that is gone gives way to another one. */
function preferred(id: string): MediaTrackConstraints {
  return id ? { deviceId: { ideal: id } } : {};
}

function words(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function processingOffByAddress(): boolean {
  return new URLSearchParams(location.search).get('processing') === 'off';
}
