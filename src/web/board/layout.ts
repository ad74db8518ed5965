// Where each province stands on the tile map, by its code: from Ha Giang in the north to Ca Mau in the south.

/** How wide the map is, in tiles. */
export const COLUMNS = 6;

/** A row of the map a line, from the west to the east. */
const ROWS = `
  .. .. 02 04 .. ..
  12 10 08 06 20 ..
  11 15 26 19 24 22
  14 25 01 27 30 31
  .. 17 35 33 34 ..
  .. 38 37 36 .. ..
  .. 40 42 .. .. ..
  .. .. 44 45 .. ..
  .. .. .. 46 48 ..
  .. .. .. .. 49 51
  .. .. .. .. 62 52
  .. .. .. .. 64 54
  .. .. .. .. 66 56
  .. .. 70 67 68 58
  .. .. 72 74 75 60
  89 87 80 79 77 ..
  91 92 86 82 .. ..
  .. 93 84 83 .. ..
  96 95 94 .. .. ..
`;

export interface Spot {
  /** From 1 in the west. */
  column: number;
  /** From 1 in the north. */
  row: number;
}

/** Where each province stands. */
export const SPOTS: ReadonlyMap<string, Spot> = new Map(
  ROWS.trim()
    .split('\n')
    .flatMap((line, row) =>
      line
        .trim()
        .split(' ')
        .map((code, column) => [code, { column: column + 1, row: row + 1 }] as const),
    )
    .filter(([code]) => code !== '..'),
);

/** How many rows the map has. */
export const HEIGHT = ROWS.trim().split('\n').length;

/** The keys that move from tile to tile, and where to. */
const STEPS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** The province that `key` leads to from `code`: the nearest one on that side; `undefined` if there is none, or for another key. */
export function beside(code: string, key: string): string | undefined {
  const [from, step] = [SPOTS.get(code), STEPS[key]];
  if (!from || !step) return undefined;
  let best: { code: string; far: number } | undefined;
  for (const [other, { column, row }] of SPOTS) {
    const [across, down] = [column - from.column, row - from.row];
    const ahead = across * step[0] + down * step[1];
    const aside = Math.abs(across * step[1]) + Math.abs(down * step[0]);
    // In its own row or column first; else what is rather ahead than aside.
    if (ahead <= 0 || (aside > ahead && aside > 1)) continue;
    const far = ahead + aside * 2;
    if (!best || far < best.far) best = { code: other, far };
  }
  return best?.code;
}
