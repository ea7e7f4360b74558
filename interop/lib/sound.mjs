// Sound in files: tones that phones say, and recordings of what they hear.
import { open, readFile, stat, writeFile } from 'node:fs/promises';

const HEAD_BYTES = 44;
/** How much of a recording is looked at: long enough to tell tones 50 Hz apart. */
const WINDOW_MS = 400;

/** `seconds` of a sine at a quarter of full scale: 16 bits; a whole number of periods. */
export function sine(hz, seconds = 10, rate = 48_000, channels = 1) {
  const samples = rate * seconds * channels;
  const wav = Buffer.alloc(HEAD_BYTES + samples * 2);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + samples * 2, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(channels, 22);
  wav.writeUInt32LE(rate, 24);
  wav.writeUInt32LE(rate * channels * 2, 28);
  wav.writeUInt16LE(channels * 2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(samples * 2, 40);
  // A second has a whole number of periods.
  const second = rate * channels * 2;
  for (let i = 0; i < rate * channels; i += 1) {
    wav.writeInt16LE(Math.round(8192 * Math.sin((2 * Math.PI * hz * Math.floor(i / channels)) / rate)), HEAD_BYTES + i * 2);
  }
  for (let at = second; at < samples * 2; at += second) wav.copy(wav, HEAD_BYTES + at, HEAD_BYTES, HEAD_BYTES + second);
  return wav;
}

export const writeTone = (path, ...tone) => writeFile(path, sine(...tone));

/** How much of a piece of sound is this tone: 0 to 1 (Goertzel). */
export function share(samples, tone_hz, rate_hz) {
  const step = (2 * Math.PI * tone_hz) / rate_hz;
  let [one, two, energy] = [0, 0, 0];
  for (const sample of samples) {
    [one, two] = [sample + 2 * Math.cos(step) * one - two, one];
    energy += sample * sample;
  }
  const power = one * one + two * two - 2 * Math.cos(step) * one * two;
  return energy === 0 ? 0 : (2 * power) / (energy * samples.length);
}

/** A file that somebody still writes; `find` says which one it is now. */
export class Recording {
  constructor(find, rate_hz, channels = 1) {
    Object.assign(this, { find, rate_hz, bytes_each: channels * 2, from: { path: undefined, bytes: HEAD_BYTES } });
  }

  async size() {
    const path = await this.find();
    const bytes = path ? await stat(path).then(({ size }) => size, () => 0) : 0;
    return { path, bytes: Math.max(bytes, HEAD_BYTES) };
  }

  /** What was recorded until now is over: only what comes counts. */
  async mark() {
    this.from = await this.size();
  }

  /** The newest samples of the first channel since the mark; `null` while there are too few. */
  async newest(ms = WINDOW_MS) {
    const { path, bytes } = await this.size();
    const count = Math.floor((ms * this.rate_hz) / 1_000);
    const wanted = count * this.bytes_each;
    const first = path === this.from.path ? this.from.bytes : HEAD_BYTES;
    if (!path || bytes - first < wanted) return null;
    const start = bytes - ((bytes - HEAD_BYTES) % this.bytes_each) - wanted;
    const file = await open(path);
    const { buffer } = await file.read(Buffer.alloc(wanted), 0, wanted, start).finally(() => file.close());
    return Array.from({ length: count }, (_, index) => buffer.readInt16LE(index * this.bytes_each));
  }

  /** All samples of the first channel since the mark. */
  async all() {
    const { path, bytes } = await this.size();
    if (!path) return [];
    const first = path === this.from.path ? this.from.bytes : HEAD_BYTES;
    const heard = (await readFile(path)).subarray(first, bytes);
    return Array.from({ length: Math.floor(heard.length / this.bytes_each) }, (_, index) => heard.readInt16LE(index * this.bytes_each));
  }

  /** How much of what is heard now is this tone: 0 to 1; silence and too little of it are 0. */
  async share(tone_hz, ms) {
    const samples = await this.newest(ms);
    return samples ? share(samples, tone_hz, this.rate_hz) : 0;
  }
}
