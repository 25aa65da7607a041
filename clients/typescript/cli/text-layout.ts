/** Numbers and rows as text for a terminal. */

/** A row of a summary: its name, padded, and its text. */
export function labelled(name: string, text: string): string {
  return `  ${name.padEnd(16)} ${text}`;
}

/** Rows of cells as lines with aligned columns. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

/** A share from 0 to 1 in percent; a share of nothing is none. */
export function percent(share: number): string {
  return Number.isNaN(share) ? 'none' : `${(100 * share).toFixed(1)} %`;
}

/** A number with a fixed count of digits; a mean over nothing is none. */
export function figure(value: number, digits: number): string {
  return Number.isNaN(value) ? 'none' : value.toFixed(digits);
}
