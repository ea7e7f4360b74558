import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { bestGrid } from '../layout';
import type { Phone } from '../phone';
import { LocalTile } from './LocalTile';
import { RemoteTile } from './RemoteTile';
import { VoiceTile } from './VoiceTile';

const GAP_PX = 12;
const GAP_PX_NARROW = 8;
const TILE_PX_MIN = 64;
const WIDE = 4 / 3;
const SQUARE = 1;

/** All pictures in the grid that makes them largest. */
export function Stage({ phone }: { phone: Phone }) {
  const place = useRef<HTMLUListElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const tiles = phone.roster.tiles.value;
  // Sound without any picture still deserves a place to look at.
  const voices = tiles.length === 0 ? phone.roster.voices.value : [];
  const count = tiles.length + voices.length + 1;

  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setSize({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const gap = size.width < 500 ? GAP_PX_NARROW : GAP_PX;
  // A phone held upright has more height than wide pictures can use.
  const aspect = count > 2 && size.height > size.width ? SQUARE : WIDE;
  const grid = bestGrid(count, size.width, size.height, gap, aspect);
  const style = { '--tile': `${Math.max(grid.width, TILE_PX_MIN)}px`, '--gap': `${gap}px`, '--aspect': String(aspect) };
  return (
    <ul class="tiles" ref={place} style={style} data-count={count} aria-label={t('tile.list')}>
      <LocalTile media={phone.media} />
      {tiles.map((tile, index) => (
        <RemoteTile key={tile.id} tile={tile} index={index} />
      ))}
      {voices.map((stream) => (
        <VoiceTile key={stream.id} stream={stream} party={phone.party.value} />
      ))}
    </ul>
  );
}
