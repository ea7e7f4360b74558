// The tab's name says who is calling, and moves while it rings, also while another tab is in front.

import { effect } from '@preact/signals';
import { t, type Key } from './i18n';
import type { Phone } from './phone';

const BEAT_MS = 1_000;
const BELLS = ['☎ ', '🔔 '];

export function applyTitle(phone: Phone): void {
  effect(() => {
    const phase = phone.phase.value;
    const name = t('app.title');
    const title = phase === 'idle' ? name : `${t(`call.${phase}.live` as Key, { party: phone.party.value })} ${name}`;
    document.title = title;
    if (phase !== 'incoming') return;
    let beat = 0;
    const ring = () => {
      document.title = BELLS[beat % BELLS.length] + title;
      beat += 1;
    };
    ring();
    const timer = setInterval(ring, BEAT_MS);
    return () => clearInterval(timer);
  });
}
