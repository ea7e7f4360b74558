import { describe, expect, it } from 'vitest';
import { Roster } from '../src/roster';

class FakeTrack extends EventTarget {
  muted = false;
  constructor(readonly kind: 'audio' | 'video') {
    super();
  }
  hush(muted: boolean) {
    this.muted = muted;
    this.dispatchEvent(new Event(muted ? 'mute' : 'unmute'));
  }
}

class FakeStream extends EventTarget {
  constructor(readonly id: string) {
    super();
  }
  drop(track: FakeTrack) {
    this.dispatchEvent(Object.assign(new Event('removetrack'), { track }));
  }
}

const track = (kind: 'audio' | 'video') => new FakeTrack(kind) as FakeTrack & MediaStreamTrack;
const stream = (id: string) => new FakeStream(id) as unknown as FakeStream & MediaStream;
const ids = (roster: Roster) => roster.tiles.value.map(({ id }) => id);

describe('roster', () => {
  it('shows one tile per stream with a picture', () => {
    const roster = new Roster();
    const first = stream('one');
    roster.add(track('audio'), first);
    roster.add(track('video'), first);
    roster.add(track('video'), stream('two'));
    expect(ids(roster)).toEqual(['one', 'two']);
    expect(roster.voices.value).toEqual([first]);
  });

  it('plays a stream without a picture and shows no tile for it', () => {
    const roster = new Roster();
    roster.add(track('audio'), stream('voice'));
    expect(ids(roster)).toEqual([]);
    expect(roster.voices.value).toHaveLength(1);
  });

  it('forgets a stream when its tracks are taken away', () => {
    const roster = new Roster();
    const [one, two] = [stream('one'), stream('two')];
    const picture = track('video');
    roster.add(picture, one);
    roster.add(track('video'), two);
    one.drop(picture);
    expect(ids(roster)).toEqual(['two']);
  });

  it('takes a stream back after it was gone', () => {
    const roster = new Roster();
    const one = stream('one');
    const picture = track('video');
    roster.add(picture, one);
    one.drop(picture);
    roster.add(picture, one);
    expect(ids(roster)).toEqual(['one']);
  });

  it('forgets a track that ended by itself', () => {
    const roster = new Roster();
    const picture = track('video');
    roster.add(picture, stream('one'));
    picture.dispatchEvent(new Event('ended'));
    expect(ids(roster)).toEqual([]);
  });

  it('tells a paused picture from a live one and keeps other tiles as they are', () => {
    const roster = new Roster();
    const picture = track('video');
    roster.add(picture, stream('one'));
    roster.add(track('video'), stream('two'));
    const [, before] = roster.tiles.value;
    picture.hush(true);
    expect(roster.tiles.value.map(({ live }) => live)).toEqual([false, true]);
    expect(roster.tiles.value[1]).toBe(before);
    picture.hush(false);
    expect(roster.tiles.value[0]?.live).toBe(true);
  });
});
