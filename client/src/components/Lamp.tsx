// A lamp says its state by colour and by shape; the words stand beside it.

export type Glow = 'off' | 'wait' | 'on' | 'fault';

export function Lamp({ glow }: { glow: Glow }) {
  return (
    <svg class="lamp" data-glow={glow} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {glow === 'off' && <circle cx="8" cy="8" r="5" class="lamp-ring" />}
      {glow === 'wait' && <path d="M8 2a6 6 0 0 1 0 12Z" class="lamp-fill" />}
      {glow === 'wait' && <circle cx="8" cy="8" r="5.5" class="lamp-ring" />}
      {glow === 'on' && <circle cx="8" cy="8" r="6" class="lamp-fill" />}
      {glow === 'fault' && <rect x="3" y="3" width="10" height="10" rx="1" transform="rotate(45 8 8)" class="lamp-fill" />}
    </svg>
  );
}
