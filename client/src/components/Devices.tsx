import { t } from '../i18n';
import type { Device, Kind, LocalMedia } from '../media';
import { Dialog } from './Dialog';

export function Devices({ media, open, onClose }: { media: LocalMedia; open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} heading={t('media.devices')} onClose={onClose}>
      <Choice media={media} kind="audio" devices={media.microphones.value} chosen={media.microphone.value} />
      <Choice media={media} kind="video" devices={media.cameras.value} chosen={media.camera.value} />
      <label class="check">
        <input
          type="checkbox"
          data-testid="studio"
          checked={!media.processing.value}
          onChange={(event) => void media.setProcessing(!event.currentTarget.checked)}
        />
        <span>
          <b>{t('media.studio')}</b>
          <small>{t('media.studio.hint')}</small>
        </span>
      </label>
    </Dialog>
  );
}

function Choice({ media, kind, devices, chosen }: { media: LocalMedia; kind: Kind; devices: readonly Device[]; chosen: string }) {
  const name = kind === 'audio' ? 'microphone' : 'camera';
  return (
    <label class="field">
      <span>{t(`media.${name}`)}</span>
      <select
        data-testid={`choose-${name}`}
        value={devices.some(({ id }) => id === chosen) ? chosen : ''}
        disabled={devices.length === 0}
        onChange={(event) => void media.choose(kind, event.currentTarget.value)}
      >
        <option value="">{t(devices.length === 0 ? 'media.none' : 'media.standard')}</option>
        {devices.map(({ id, label }, index) => (
          <option key={id} value={id}>
            {label || t('media.unnamed', { n: String(index + 1) })}
          </option>
        ))}
      </select>
    </label>
  );
}
