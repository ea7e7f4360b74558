import type { ReadonlySignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

/** Plays every remote voice, with or without a picture. */
export function Voices({ streams }: { streams: ReadonlySignal<readonly MediaStream[]> }) {
  return (
    <>
      {streams.value.map((stream) => (
        <Voice key={stream.id} stream={stream} />
      ))}
    </>
  );
}

function Voice({ stream }: { stream: MediaStream }) {
  const audio = useRef<HTMLAudioElement>(null);
  useEffect(() => {
    const element = audio.current;
    if (!element) return;
    element.srcObject = stream;
    const play = () => void element.play().catch(() => {});
    play();
    // A browser that refused to play unasked does so after the next press.
    document.addEventListener('pointerdown', play);
    return () => {
      document.removeEventListener('pointerdown', play);
      element.srcObject = null;
    };
  }, [stream]);
  return <audio ref={audio} autoplay data-testid="voice" />;
}
