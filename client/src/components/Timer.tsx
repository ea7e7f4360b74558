import type { ReadonlySignal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';

export function Timer({ since }: { since: ReadonlySignal<number | null> }) {
  const start = since.value;
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (start === null) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, [start]);
  if (start === null) return null;
  return (
    <p class="timer" role="timer" aria-live="off">
      {clock(Math.max(0, now - start))}
    </p>
  );
}

export function clock(elapsed_ms: number): string {
  const seconds = Math.floor(elapsed_ms / 1000);
  const pad = (n: number) => String(n).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const rest = `${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}
