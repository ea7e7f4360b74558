// Digits typed during a call are tones, wherever the focus is, except in a field or a dialog.

import type { Phone } from './phone';

const TONE = /^[0-9*#]$/;

export function listenForTones(phone: Phone): void {
  document.addEventListener('keydown', (event) => {
    const elsewhere = event.target instanceof Element && event.target.closest('input, select, textarea, dialog');
    if (elsewhere || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (phone.phase.value === 'talking' && TONE.test(event.key)) phone.press(event.key);
  });
}
