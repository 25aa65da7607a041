/** The settings that identify a run: resumed with others it would be a different run. */
import { CutlayerError } from '../../../src/errors.js';

export type RunSettings = Readonly<Record<string, string | number | boolean>>;

/** In a fixed order of names. */
export function describeSettings(settings: RunSettings): RunSettings {
  return Object.fromEntries(Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** @throws CutlayerError INVALID_CONFIG naming the first setting that differs from `saved` */
export function refuseOtherSettings(saved: unknown, current: RunSettings, checkpoint: string): void {
  const before = (typeof saved === 'object' && saved !== null ? saved : {}) as Readonly<Record<string, unknown>>;
  for (const name of new Set([...Object.keys(before), ...Object.keys(current)])) {
    if (before[name] === current[name]) continue;
    const show = (value: unknown) => (value === undefined ? 'nothing' : String(value).slice(0, 40));
    throw new CutlayerError(
      'INVALID_CONFIG',
      `cannot resume from ${checkpoint}: ${name} was ${show(before[name])}, now it is ${show(current[name])}; ` +
        'use the same settings and data, or start a new run in another directory',
      { details: { setting: name, before: show(before[name]), checkpoint } },
    );
  }
}
