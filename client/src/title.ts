// The tab's name says who is calling, also while another tab is in front.

import { effect } from '@preact/signals';
import { t, type Key } from './i18n';
import type { Phone } from './phone';

export function applyTitle(phone: Phone): void {
  effect(() => {
    const phase = phone.phase.value;
    const name = t('app.title');
    document.title = phase === 'idle' ? name : `${t(`call.${phase}.live` as Key, { party: phone.party.value })} ${name}`;
  });
}
