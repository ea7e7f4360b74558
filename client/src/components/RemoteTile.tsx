import { t } from '../i18n';
import type { Tile } from '../roster';
import { Picture } from './Picture';

export function RemoteTile({ tile, index }: { tile: Tile; index: number }) {
  return (
    <li class="tile" data-testid="remote-tile" data-stream-id={tile.id} data-live={tile.live}>
      <Picture stream={tile.stream} />
      {!tile.live && (
        <div class="tile-note tile-waiting">
          <p>{t('tile.waiting')}</p>
        </div>
      )}
      <p class="tile-name">{t('tile.picture', { n: String(index + 1) })}</p>
    </li>
  );
}
