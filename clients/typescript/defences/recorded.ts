/** What an adapter's files say of the defences that it was trained with. */
import { type Defence, defenceText, type RecordedDefence } from './defence.js';

/** What is written: names and settings, never a secret. */
export function recordedDefences(all: readonly Defence[]): readonly RecordedDefence[] {
  return all.map(({ name, settings }) => ({ name, settings }));
}

/** Reads what was written; anything else counts as none. */
export function parseRecorded(value: unknown): readonly RecordedDefence[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    const { name, settings = {} } = (entry ?? {}) as { readonly name?: unknown; readonly settings?: unknown };
    if (typeof name !== 'string' || typeof settings !== 'object' || settings === null) return [];
    // Only shown and compared.
    return [{ name, settings: settings as RecordedDefence['settings'] }];
  });
}

/** Those that act on labels alone. */
export const ofLabels: readonly string[] = ['label-noise'];

/**
 * What to tell where an adapter is used with other defences than it was trained with.
 * @param adapter Its directory or name
 * @param labelled Whether labels of training records are sent
 * @returns undefined where they are the same
 */
export function otherDefences(
  adapter: string,
  trained: readonly RecordedDefence[],
  present: readonly RecordedDefence[],
  labelled = false,
): string | undefined {
  const texts = present.map(defenceText);
  const missing = trained
    .filter(({ name }) => labelled || !ofLabels.includes(name))
    .map(defenceText)
    .filter((text) => !texts.includes(text));
  if (missing.length === 0) return undefined;
  const now = texts.length === 0 ? 'none is on' : `on are ${texts.join(', ')}`;
  return (
    `${adapter}: was trained with the defence ${missing.join(', ')}, and here ${now}; ` +
    "pass the same options: without them rows are sent without that defence, and the adapter's answers may be other ones"
  );
}
