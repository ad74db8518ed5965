// Tables as CSV files, as spreadsheets open them: RFC 4180, UTF-8 with a byte order mark.

export type Cell = string | number | null | undefined;

/** Spreadsheets take a text that begins so for a formula, and would run it. */
const FORMULA = /^[=+\-@\t\r]/;

function written(cell: Cell): string {
  if (typeof cell === 'number') return String(cell);
  const text = cell ?? '';
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** A file with these columns' names and these rows. Texts that a spreadsheet would take for formulas begin with an apostrophe. */
export function csv(columns: readonly string[], rows: readonly (readonly Cell[])[]): Blob {
  const lines = [columns, ...rows].map((row) => `${row.map(written).join(',')}\r\n`);
  return new Blob(['\ufeff', ...lines], { type: 'text/csv;charset=utf-8' });
}

/** Hands `file` to the person as a download called `name`. */
export function save(name: string, file: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // The download has begun by then, and the browser may forget the file.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
