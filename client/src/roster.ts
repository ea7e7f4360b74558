// Who is to be seen and heard. A tile is a remote MediaStream with a picture, keyed by the stream's id;
// streams come and go with re-INVITEs, so tiles follow the tracks and nothing else.

import { signal, type ReadonlySignal } from '@preact/signals';

export interface Tile {
  readonly id: string;
  readonly stream: MediaStream;
  /** False until packets arrive, and whenever they pause. */
  readonly live: boolean;
}

interface Entry {
  stream: MediaStream;
  tracks: Set<MediaStreamTrack>;
}

export class Roster {
  private readonly entries = new Map<string, Entry>();
  private readonly pictures = signal<readonly Tile[]>([]);
  private readonly sounds = signal<readonly MediaStream[]>([]);

  /** Streams with a picture, in order of arrival. */
  get tiles(): ReadonlySignal<readonly Tile[]> {
    return this.pictures;
  }

  /** Streams to be played, with or without a picture. */
  get voices(): ReadonlySignal<readonly MediaStream[]> {
    return this.sounds;
  }

  follow(pc: RTCPeerConnection): void {
    pc.addEventListener('track', ({ track, streams }) => {
      // Without a=msid a track has no stream; it gets one of its own.
      const stream = streams[0] ?? new MediaStream([track]);
      this.add(track, stream);
    });
  }

  add(track: MediaStreamTrack, stream: MediaStream): void {
    let entry = this.entries.get(stream.id);
    if (!entry) {
      entry = { stream, tracks: new Set() };
      this.entries.set(stream.id, entry);
      stream.addEventListener('removetrack', (event) => this.remove((event as MediaStreamTrackEvent).track, stream));
    }
    if (!entry.tracks.has(track)) {
      entry.tracks.add(track);
      track.addEventListener('ended', () => this.remove(track, stream));
      track.addEventListener('mute', () => this.publish());
      track.addEventListener('unmute', () => this.publish());
    }
    this.publish();
  }

  clear(): void {
    this.entries.clear();
    this.publish();
  }

  private remove(track: MediaStreamTrack, stream: MediaStream): void {
    const entry = this.entries.get(stream.id);
    if (!entry || !entry.tracks.delete(track)) return;
    if (entry.tracks.size === 0) this.entries.delete(stream.id);
    this.publish();
  }

  private publish(): void {
    const before = new Map(this.pictures.value.map((tile) => [tile.id, tile]));
    const tiles: Tile[] = [];
    const voices: MediaStream[] = [];
    for (const [id, { stream, tracks }] of this.entries) {
      const picture = [...tracks].find((track) => track.kind === 'video');
      if (picture) {
        const old = before.get(id);
        const live = !picture.muted;
        tiles.push(old && old.live === live && old.stream === stream ? old : { id, stream, live });
      }
      if ([...tracks].some((track) => track.kind === 'audio')) voices.push(stream);
    }
    this.pictures.value = tiles;
    this.sounds.value = voices;
  }
}
