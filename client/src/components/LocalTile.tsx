import { t, type Key } from '../i18n';
import type { LocalMedia } from '../media';
import { Icon } from './Icon';
import { Meter } from './Meter';
import { Picture } from './Picture';

export function LocalTile({ media }: { media: LocalMedia }) {
  const { audio, video } = media.sources.value;
  const held = media.paused.value;
  const note = words(audio === 'asking' || video === 'asking', video, media.cameraOn.value, held);
  return (
    <li class={note && note !== 'tile.cameraOff' && note !== 'tile.held' ? 'tile tile-empty' : 'tile'} data-testid="local-tile">
      {!note && <Picture stream={media.stream.value} mirrored />}
      {note && (
        <div class="tile-note">
          <Icon name={note === 'tile.held' ? 'pause' : video === 'open' || video === 'asking' || video === 'closed' ? 'camera' : 'cameraOff'} />
          <p>{t(note)}</p>
        </div>
      )}
      <p class="tile-name">
        {t('tile.you')}
        {audio === 'open' && media.microphoneOn.value && !held && <Meter stream={media.stream.value} kind="bar" />}
        {audio === 'open' && !media.microphoneOn.value && (
          <span class="tile-muted">
            <Icon name="microphoneOff" />
            {t('tile.microphoneOff')}
          </span>
        )}
      </p>
    </li>
  );
}

function words(asking: boolean, video: string, cameraOn: boolean, held: boolean): Key | null {
  if (asking) return 'tile.asking';
  if (video === 'closed') return 'tile.closed';
  if (video !== 'open') return 'tile.noCamera';
  if (held) return 'tile.held';
  return cameraOn ? null : 'tile.cameraOff';
}
