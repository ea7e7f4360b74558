import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import type { Phone } from '../phone';
import { Dialog } from './Dialog';
import { KnownNumber } from './Dialer';
import { Icon } from './Icon';

interface Props {
  phone: Phone;
  numbers: readonly { number: string; label: string }[];
  open: boolean;
  onClose: () => void;
}

/** Where the other party is to be sent. It closes by itself when the call ends. */
export function Transfer({ phone, numbers, open, onClose }: Props) {
  const [number, setNumber] = useState('');
  const talking = phone.phase.value === 'talking';
  useEffect(() => {
    if (open) setNumber('');
  }, [open]);
  useEffect(() => {
    if (open && !talking) onClose();
  }, [open, talking]);
  return (
    <Dialog open={open} heading={t('call.transfer.heading')} close="call.transfer.cancel" onClose={onClose}>
      <form
        class="transfer"
        onSubmit={(event) => {
          event.preventDefault();
          phone.transfer(number);
          onClose();
        }}
      >
        <p class="story-note" id="transfer-hint">
          {t('call.transfer.hint')}
        </p>
        <div class="display">
          <input
            data-testid="transfer-number"
            aria-label={t('call.transfer.number')}
            aria-describedby="transfer-hint"
            inputMode="tel"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            enterKeyHint="go"
            value={number}
            onInput={(event) => setNumber(event.currentTarget.value)}
          />
        </div>
        {numbers.length > 0 && (
          <ul class="numbers" aria-label={t('dial.numbers')}>
            {numbers.map((known) => (
              <KnownNumber key={known.number} {...known} chosen={number} choose={setNumber} />
            ))}
          </ul>
        )}
        <button class="primary primary-call" type="submit" data-testid="transfer-go" disabled={!number.trim()}>
          <Icon name="transfer" />
          {t('call.transfer')}
        </button>
      </form>
    </Dialog>
  );
}
