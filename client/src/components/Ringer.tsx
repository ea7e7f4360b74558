import { useEffect } from 'preact/hooks';

const RING_MS = 400;
const PAUSE_MS = 2600;
const TONES_HZ = [440, 480];

/** A bell made here: two tones, twice as long a pause. Silent where the browser allows no sound yet. */
export function Ringer() {
  useEffect(() => {
    const audio = new AudioContext();
    const ring = () => {
      const volume = audio.createGain();
      volume.gain.value = 0.05;
      volume.connect(audio.destination);
      for (const hz of TONES_HZ) {
        const tone = audio.createOscillator();
        tone.frequency.value = hz;
        tone.connect(volume);
        tone.start();
        tone.stop(audio.currentTime + RING_MS / 1000);
      }
    };
    ring();
    const timer = setInterval(ring, RING_MS + PAUSE_MS);
    return () => {
      clearInterval(timer);
      void audio.close();
    };
  }, []);
  return null;
}
