// How loud a stream is, ten times a second, for the meters.

const POLL_MS = 100;
const FLOOR_DB = -60;
const CEILING_DB = -12;

let shared: AudioContext | null = null;

/** Reports 0 (silence) to 1 (loud); returns the way to stop. */
export function watchLevel(stream: MediaStream, report: (level: number) => void): () => void {
  if (stream.getAudioTracks().length === 0 || typeof AudioContext === 'undefined') return () => {};
  const audio = (shared ??= new AudioContext());
  const source = audio.createMediaStreamSource(stream);
  const analyser = audio.createAnalyser();
  analyser.fftSize = 512;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);

  const timer = setInterval(() => {
    // Browsers start sound after the first press only.
    if (audio.state === 'suspended') void audio.resume().catch(() => {});
    analyser.getFloatTimeDomainData(samples);
    report(levelOf(samples));
  }, POLL_MS);
  return () => {
    clearInterval(timer);
    source.disconnect();
  };
}

export function levelOf(samples: Float32Array): number {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, samples.length);
  const db = 10 * Math.log10(power + 1e-12);
  return Math.min(1, Math.max(0, (db - FLOOR_DB) / (CEILING_DB - FLOOR_DB)));
}
