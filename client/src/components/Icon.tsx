// Line icons on a 24-unit field, drawn here so that nothing is fetched.

const PATHS = {
  microphone: 'M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3ZM6 11a6 6 0 0 0 12 0M12 17v4M9 21h6',
  microphoneOff: 'M9 9v2a3 3 0 0 0 4.6 2.5M15 11V6a3 3 0 0 0-5.7-1.3M6 11a6 6 0 0 0 9.3 5M18 11a6 6 0 0 1-.4 2.1M12 17v4M9 21h6M4 3l16 18',
  camera: 'M4 7h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H4a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1ZM15 11l6-3v8l-6-3',
  cameraOff: 'M7 7h6a2 2 0 0 1 2 2v3M15 13l6 3V8l-4 2M15 16a2 2 0 0 1-2 1H4a1 1 0 0 1-1-1V8M4 3l16 18',
  handset: 'M6.5 4h3l1.5 4-2 1.5a11 11 0 0 0 5.5 5.5l1.5-2 4 1.5v3a2 2 0 0 1-2 2A15.5 15.5 0 0 1 4.5 6a2 2 0 0 1 2-2Z',
  hangup: 'M3 15.5v-2c5-4.7 13-4.7 18 0v2c0 .8-.6 1.3-1.4 1.200l-3-.5a1.2 1.2 0 0 1-1-1.200v-1.600a12 12 0 0 0-7.2 0V15a1.2 1.2 0 0 1-1 1.200l-3 .5A1.2 1.2 0 0 1 3 15.5Z',
  pause: 'M9 6v12M15 6v12',
  transfer: 'M4 18v-4a5 5 0 0 1 5-5h11M15 4l5 5-5 5',
  pad: 'M6 5h.01M12 5h.01M18 5h.01M6 11h.01M12 11h.01M18 11h.01M6 17h.01M12 17h.01M18 17h.01M12 21.5h.01',
  sliders: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2v2M12 20v2M4.9 4.900l1.4 1.400M17.7 17.700l1.4 1.400M2 12h2M20 12h2M4.9 19.100l1.4-1.400M17.7 6.300l1.4-1.4',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z',
  backspace: 'M9 5h11a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H9l-6-7 6-7ZM12 9.5l5 5M17 9.5l-5 5',
  close: 'M6 6l12 12M18 6L6 18',
  plug: 'M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0V8ZM12 17v4',
  story: 'M4 8h13M13 4l4 4-4 4M20 16H7M11 12l-4 4 4 4',
  warning: 'M12 4 2.5 20h19L12 4ZM12 10v4.5M12 17.5h.01',
  error: 'M8 3h8l5 5v8l-5 5H8l-5-5V8l5-5ZM12 8v5M12 16.5h.01',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
