// The patch: our jack, their jack, and the cord between them. The words tell the same without the drawing.

import { t, type Key } from '../i18n';
import type { CallPhase, Phone } from '../phone';
import { Lamp, type Glow } from './Lamp';
import { Timer } from './Timer';

const GLOW: Record<CallPhase, Glow> = { idle: 'off', incoming: 'wait', calling: 'wait', ringing: 'wait', talking: 'on' };

export function Strip({ phone }: { phone: Phone }) {
  const phase = phone.phase.value;
  const online = phone.connection.value === 'online' || phase !== 'idle';
  const state = online ? phase : 'offline';
  const party = phone.party.value || phone.number.value;
  return (
    <section class="strip" data-phase={phase}>
      <Cord />
      <Jack name={phone.account.value.user || '–'} note={t('call.you')} />
      <div class="strip-state">
        <p class="strip-words" aria-hidden="true">
          <Lamp glow={online && phase === 'idle' ? 'on' : GLOW[phase]} />
          <span data-testid="phase" data-phase={phase}>
            {phase === 'incoming' ? t('call.incoming.live', { party }) : t(`call.${state}` as Key)}
          </span>
        </p>
        <Timer since={phone.answeredAt} />
        <p class="unseen" aria-live={phase === 'incoming' ? 'assertive' : 'polite'}>
          {t(`call.${state}.live` as Key, { party })}
        </p>
      </div>
      <Jack name={party || '–'} note={t('dial.heading')} />
    </section>
  );
}

function Jack({ name, note }: { name: string; note: string }) {
  return (
    <div class="jack">
      <span class="jack-hole" aria-hidden="true" />
      <span class="jack-name">{name}</span>
      <span class="unseen">{note}</span>
    </div>
  );
}

function Cord() {
  return (
    <svg class="cord" viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <path class="cord-guide" d="M0 10 C 180 120, 820 120, 1000 10" />
      <path class="cord-shade" d="M0 10 C 180 120, 820 120, 1000 10" pathLength={1} />
      <path class="cord-line" d="M0 10 C 180 120, 820 120, 1000 10" pathLength={1} />
    </svg>
  );
}
