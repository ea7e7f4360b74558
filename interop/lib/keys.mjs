// Digits as sound: written into what a phone says, and found in what it heard.
import { sine } from './sound.mjs';

const HEAD_BYTES = 44;
const LOW_HZ = [697, 770, 852, 941];
const HIGH_HZ = [1209, 1336, 1477, 1633];
const KEYS = '123A456B789C*0#D';
const WINDOW_MS = 10;

/** A WAV of silence and digits, each so many milliseconds: `[['', 1000], ['5', 120]]`. */
export function spoken(steps, rate_hz = 8_000) {
  const samples = steps.flatMap(([key, ms]) => {
    const at = KEYS.indexOf(key || '?');
    const [low, high] = [LOW_HZ[at >> 2], HIGH_HZ[at & 3]];
    const wave = (hz, index) => Math.sin((2 * Math.PI * hz * index) / rate_hz) / 2;
    return Array.from({ length: (ms * rate_hz) / 1000 }, (_, index) => (key ? wave(low, index) + wave(high, index) : 0));
  });
  const wav = sine(0, 1, rate_hz).subarray(0, HEAD_BYTES);
  wav.writeUInt32LE(36 + samples.length * 2, 4);
  wav.writeUInt32LE(samples.length * 2, 40);
  const body = Buffer.alloc(samples.length * 2);
  samples.forEach((sample, index) => body.writeInt16LE(Math.round(sample * 20_000), index * 2));
  return Buffer.concat([wav, body]);
}

function power(samples, hz, rate_hz) {
  const turn = 2 * Math.cos((2 * Math.PI * hz) / rate_hz);
  let [one, two] = [0, 0];
  for (const sample of samples) [one, two] = [sample + turn * one - two, one];
  return one * one + two * two - turn * one * two;
}

function keyIn(samples, rate_hz) {
  const energy = samples.reduce((sum, sample) => sum + sample * sample, 0);
  const loudest = (group) => {
    const powers = group.map((hz) => power(samples, hz, rate_hz));
    const most = Math.max(...powers);
    return [powers.indexOf(most), most];
  };
  const [[low, one], [high, two]] = [loudest(LOW_HZ), loudest(HIGH_HZ)];
  const is_loud = energy / samples.length > 300 ** 2;
  // Short windows do not tell the tones of a group well apart, but both groups together have nearly everything.
  return is_loud && 2 * (one + two) > 0.6 * energy * samples.length && one < 8 * two && two < 8 * one ? KEYS[4 * low + high] : '';
}

/** The digits in a piece of sound, with their lengths. */
export function keysIn(samples, rate_hz = 8_000) {
  const size = (rate_hz * WINDOW_MS) / 1000;
  const found = [];
  let last = '';
  for (let at = 0; at + 2 * size <= samples.length; at += size) {
    const key = keyIn(samples.slice(at, at + 2 * size), rate_hz);
    if (key && key === last) found.at(-1).ms += WINDOW_MS;
    else if (key) found.push({ key, ms: WINDOW_MS });
    last = key;
  }
  return found.filter(({ ms }) => ms >= 3 * WINDOW_MS);
}
