// The ledge in front of the operator: one primary action per state, and the switches.

import { t } from '../i18n';
import type { LocalMedia } from '../media';
import type { Phone } from '../phone';
import { Icon, type IconName } from './Icon';

interface Props {
  phone: Phone;
  pad: boolean;
  onPad: () => void;
  onDevices: () => void;
  onTransfer: () => void;
}

export function Ledge({ phone, pad, onPad, onDevices, onTransfer }: Props) {
  const { media } = phone;
  return (
    <footer class="ledge">
      <div class="primary-place">
        <Primary phone={phone} />
      </div>
      <div class="switches">
        {phone.phase.value === 'talking' && <CallSwitches phone={phone} onTransfer={onTransfer} />}
        <Switch media={media} kind="audio" />
        <Switch media={media} kind="video" />
        {phone.phase.value === 'talking' && (
          <button class="switch switch-pad" type="button" aria-expanded={pad} onClick={onPad} data-testid="pad">
            <Icon name="pad" />
            <span>{t('media.pad')}</span>
          </button>
        )}
        <button class="switch" type="button" onClick={onDevices} data-testid="devices">
          <Icon name="sliders" />
          <span>{t('media.devices')}</span>
        </button>
      </div>
    </footer>
  );
}

/** What can be done with the other party. */
function CallSwitches({ phone, onTransfer }: { phone: Phone; onTransfer: () => void }) {
  const held = phone.held.value;
  return (
    <>
      <button
        class="switch"
        type="button"
        data-testid="hold"
        data-off={held}
        aria-pressed={held}
        title={t(held ? 'call.hold.off' : 'call.hold.on')}
        onClick={() => phone.toggleHold()}
      >
        <Icon name="pause" />
        <span>{t('call.hold')}</span>
      </button>
      <button
        class="switch"
        type="button"
        data-testid="transfer"
        aria-haspopup="dialog"
        disabled={Boolean(phone.transferring.value)}
        title={t('call.transfer.heading')}
        onClick={onTransfer}
      >
        <Icon name="transfer" />
        <span>{t('call.transfer')}</span>
      </button>
    </>
  );
}

function Primary({ phone }: { phone: Phone }) {
  const connection = phone.connection.value;
  switch (phone.phase.value) {
    case 'incoming':
      return (
        <>
          <button class="primary primary-call" type="button" data-testid="answer" aria-keyshortcuts="Enter" onClick={() => void phone.answer()}>
            <Icon name="handset" />
            {t('call.answer')}
            <kbd class="primary-key" aria-hidden="true">Enter</kbd>
          </button>
          <button class="primary primary-end" type="button" data-testid="reject" aria-keyshortcuts="Escape" onClick={() => phone.hangup()}>
            <Icon name="hangup" />
            {t('call.reject')}
            <kbd class="primary-key" aria-hidden="true">Esc</kbd>
          </button>
        </>
      );
    case 'calling':
    case 'ringing':
    case 'talking':
      return (
        <button class="primary primary-end" type="button" data-testid="hangup" onClick={() => phone.hangup()}>
          <Icon name="hangup" />
          {t('call.hangup')}
        </button>
      );
    case 'idle':
      break;
  }
  if (connection === 'offline' || connection === 'connecting') {
    return (
      <button class="primary primary-connect" type="submit" form="credentials" data-testid="connect" disabled={connection === 'connecting'}>
        <Icon name="plug" />
        {t(connection === 'connecting' ? 'account.connecting' : 'account.connect')}
      </button>
    );
  }
  return (
    <button
      class="primary primary-call"
      type="button"
      data-testid="call"
      disabled={connection !== 'online' || !phone.number.value.trim()}
      onClick={() => void phone.call()}
    >
      <Icon name="handset" />
      {t('dial.call')}
    </button>
  );
}

function Switch({ media, kind }: { media: LocalMedia; kind: 'audio' | 'video' }) {
  const name = kind === 'audio' ? 'microphone' : 'camera';
  const on = (kind === 'audio' ? media.microphoneOn : media.cameraOn).value;
  const icon: IconName = on ? name : `${name}Off`;
  return (
    <button
      class="switch"
      type="button"
      data-testid={name}
      data-off={!on}
      disabled={media.sources.value[kind] !== 'open'}
      aria-pressed={on}
      title={t(`media.${name}.${on ? 'off' : 'on'}`)}
      onClick={() => media.setEnabled(kind, !on)}
    >
      <Icon name={icon} />
      <span>{t(`media.${name}`)}</span>
    </button>
  );
}
