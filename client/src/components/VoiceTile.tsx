import { t } from '../i18n';
import { Meter } from './Meter';

/** The other party of a call without pictures. */
export function VoiceTile({ stream, party }: { stream: MediaStream; party: string }) {
  return (
    <li class="tile" data-testid="voice-tile" data-stream-id={stream.id}>
      <div class="tile-note">
        <Meter stream={stream} kind="rings" />
        <p>{t('tile.voice')}</p>
      </div>
      <p class="tile-name">{party}</p>
    </li>
  );
}
