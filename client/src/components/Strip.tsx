// The patch: our jack, their jack, and the cord between them. The words tell the same without the drawing.

import { t, type Key } from '../i18n';
import type { CallPhase, Phone } from '../phone';
import { Lamp, type Glow } from './Lamp';
import { Timer } from './Timer';

const GLOW: Record<CallPhase, Glow> = { idle: 'off', incoming: 'wait', calling: 'wait', ringing: 'wait', talking: 'on' };

export function Strip({ phone }: { phone: Phone }) {
  const phase = phone.phase.value;
  const online = phone.connection.value === 'online' || phase !== 'idle';
  const state = online ? stateOf(phone) : 'offline';
  const party = phone.party.value || phone.number.value;
  const goal = state === 'transferring' ? phone.transferring.value : state === 'sent' ? phone.sentTo.value : party;
  const words = state === 'incoming' ? t('call.incoming.live', { party }) : t(`call.${state}` as Key, { party: goal });
  return (
    <section class="strip" data-phase={phase} data-held={phone.held.value}>
      <Cord />
      <Jack name={phone.account.value.user || '–'} note={t('call.you')} />
      <div class="strip-state">
        <p class="strip-words" aria-hidden="true">
          <Lamp glow={phone.held.value ? 'wait' : online && phase === 'idle' ? 'on' : GLOW[phase]} />
          <span data-testid="phase" data-phase={phase} data-state={state}>
            {words}
          </span>
        </p>
        <Timer since={phone.answeredAt} />
        <p class="unseen" aria-live={phase === 'incoming' ? 'assertive' : 'polite'}>
          {t(`call.${state}.live` as Key, { party: goal })}
        </p>
      </div>
      <Jack name={party || '–'} note={t('dial.heading')} />
    </section>
  );
}

/** The phase, told more closely. */
function stateOf(phone: Phone): CallPhase | 'held' | 'transferring' | 'sent' {
  const phase = phone.phase.value;
  if (phase === 'idle') return phone.sentTo.value ? 'sent' : 'idle';
  if (phase !== 'talking') return phase;
  if (phone.transferring.value) return 'transferring';
  return phone.held.value ? 'held' : 'talking';
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
