// The adaptive grid: the number of columns that gives the largest tiles.

export interface Grid {
  columns: number;
  width: number;
  height: number;
}

export function bestGrid(count: number, width: number, height: number, gap: number, aspect = 4 / 3): Grid {
  let best: Grid = { columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= Math.max(1, count); columns += 1) {
    const rows = Math.ceil(count / columns);
    const widthFree = (width - gap * (columns - 1)) / columns;
    const heightFree = (height - gap * (rows - 1)) / rows;
    const tile = Math.floor(Math.max(0, Math.min(widthFree, heightFree * aspect)));
    if (tile > best.width) best = { columns, width: tile, height: Math.floor(tile / aspect) };
  }
  return best;
}
