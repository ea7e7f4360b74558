import { useEffect, useRef } from 'preact/hooks';

/** A silent picture; sound is played by `Voices`, so that no tile can lose it. */
export function Picture({ stream, mirrored = false }: { stream: MediaStream | null; mirrored?: boolean }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const element = video.current;
    if (!element) return;
    element.muted = true;
    element.srcObject = stream;
    if (stream) void element.play().catch(() => {});
    return () => {
      element.srcObject = null;
    };
  }, [stream]);
  return <video class={mirrored ? 'picture picture-mirrored' : 'picture'} ref={video} autoplay playsInline muted />;
}
