import { t, type Key } from '../i18n';
import type { Phone } from '../phone';
import { Icon } from './Icon';

interface Props {
  phone: Phone;
  numbers: readonly { number: string; label: string }[];
}

/** The demo's own numbers, which the server names in English. */
const DEMO_LABELS: Readonly<Record<string, Key>> = { '246': 'dial.echo', '600': 'dial.echoSound' };

const KEYS: readonly (readonly [string, string])[] = [
  ['1', ''],
  ['2', 'abc'],
  ['3', 'def'],
  ['4', 'ghi'],
  ['5', 'jkl'],
  ['6', 'mno'],
  ['7', 'pqrs'],
  ['8', 'tuv'],
  ['9', 'wxyz'],
  ['*', ''],
  ['0', '+'],
  ['#', ''],
];

/** The number before a call; the tones in it. One pad serves both. */
export function Dialer({ phone, numbers }: Props) {
  const talking = phone.phase.value === 'talking';
  return (
    <section class="card dialer" aria-label={t('dial.heading')}>
      {talking ? <Tones phone={phone} /> : <NumberField phone={phone} />}
      {!talking && numbers.length > 0 && (
        <ul class="numbers" aria-label={t('dial.numbers')}>
          {numbers.map((known) => (
            <KnownNumber key={known.number} {...known} chosen={phone.number.value} choose={(number) => (phone.number.value = number)} />
          ))}
        </ul>
      )}
      <Pad phone={phone} />
    </section>
  );
}

/** A number of this exchange, to be chosen by one press. */
export function KnownNumber({ number, label, chosen, choose }: { number: string; label: string; chosen: string; choose: (number: string) => void }) {
  return (
    <li>
      <button type="button" class="number" onClick={() => choose(number)} aria-pressed={chosen === number}>
        <b>{number}</b> <span>{labelOf(number, label)}</span>
      </button>
    </li>
  );
}

function labelOf(number: string, label: string): string {
  const key = DEMO_LABELS[number];
  return key ? t(key) : label;
}

function NumberField({ phone }: { phone: Phone }) {
  return (
    <form
      class="display"
      onSubmit={(event) => {
        event.preventDefault();
        void phone.call();
      }}
    >
      <input
        data-testid="number"
        aria-label={t('dial.number')}
        inputMode="tel"
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        enterKeyHint="go"
        value={phone.number.value}
        onInput={(event) => (phone.number.value = event.currentTarget.value)}
      />
      <button
        class="tool"
        type="button"
        aria-label={t('dial.delete')}
        title={t('dial.delete')}
        onClick={() => (phone.number.value = phone.number.value.slice(0, -1))}
      >
        <Icon name="backspace" />
      </button>
    </form>
  );
}

function Tones({ phone }: { phone: Phone }) {
  return (
    <p class="display tones">
      <span class="tones-label">{t('dial.tones')}</span>
      {!phone.digits.value && phone.party.value === '246' && <span class="tones-hint">{t('dial.padHint')}</span>}
      <output data-testid="tones">{phone.digits.value}</output>
    </p>
  );
}

function Pad({ phone }: { phone: Phone }) {
  const phase = phone.phase.value;
  const usable = phase === 'idle' || (phase === 'talking' && !phone.held.value);
  return (
    <div class="pad" role="group" aria-label={t('dial.pad')}>
      {KEYS.map(([key, letters]) => (
        <button key={key} class="key" type="button" disabled={!usable} data-testid={`key-${key}`} onClick={() => phone.press(key)}>
          <span class="key-digit">{key}</span>
          {letters && <span class="key-letters" aria-hidden="true">{letters}</span>}
        </button>
      ))}
    </div>
  );
}
