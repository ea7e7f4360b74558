// Digits typed during a call are tones, wherever the focus is, except in a field or a dialog. While it
// rings, Enter answers and Escape declines.

import type { Phone } from './phone';

const TONE = /^[0-9*#]$/;

export function listenForKeys(phone: Phone): void {
  document.addEventListener('keydown', (event) => {
    const elsewhere = event.target instanceof Element && event.target.closest('input, select, textarea, dialog');
    if (elsewhere || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (phone.phase.value === 'incoming') return onRinging(phone, event);
    if (phone.phase.value === 'talking' && TONE.test(event.key)) phone.press(event.key);
  });
}

function onRinging(phone: Phone, event: KeyboardEvent): void {
  // A button that has the focus is pressed by the same key.
  const button = event.target instanceof Element && event.target.closest('button, a, summary');
  if (event.key === 'Enter' && !button) void phone.answer();
  else if (event.key === 'Escape') phone.hangup();
  else return;
  event.preventDefault();
}
