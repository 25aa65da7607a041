/** What every defence says of itself. Its secret is no part of it. */

/** A defence with its settings, as an adapter's files record it. */
export interface RecordedDefence {
  /** Its option, as `row-noise`. */
  readonly name: string;
  readonly settings: Readonly<Record<string, number | string | readonly (number | string)[]>>;
}

export interface Defence extends RecordedDefence {
  /** What may be claimed of it, and no more. */
  readonly claim: string;
}

/** One line, as `row-noise (scale 1)`. */
export function defenceText({ name, settings }: RecordedDefence): string {
  const entries = Object.entries(settings).map(([key, value]) => `${key} ${String(value)}`);
  return entries.length === 0 ? name : `${name} (${entries.join(', ')})`;
}
