import { useEffect, useRef } from 'preact/hooks';
import { watchLevel } from '../level';

/** Gives its element `--level` from 0 to 1; the style sheet draws with it. */
export function Meter({ stream, kind }: { stream: MediaStream | null; kind: 'bar' | 'rings' }) {
  const element = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (!stream) return;
    return watchLevel(stream, (level) => element.current?.style.setProperty('--level', level.toFixed(2)));
  }, [stream]);
  return <span class={`meter meter-${kind}`} ref={element} aria-hidden="true" />;
}
