/** Options of sizes and times. */
import { type OptionRow, parsed } from './option.js';

const unitBytes: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/**
 * `512MiB`, `2G`, `1048576`: binary units. The npm package `bytes` is no substitute: it reads
 * `512MiB` as 512, without an error.
 */
export function byteSize(description: string): OptionRow<number, string> {
  return parsed('size', description, 'expected a size such as 512MiB or 2GiB', (given) => {
    const match = /^(\d+(?:\.\d+)?)\s*([KMG]?)(?:i?B)?$/i.exec(String(given));
    const bytes = match === null ? Number.NaN : Math.round(Number(match[1]) * unitBytes[match[2]!.toUpperCase()]!);
    return Number.isSafeInteger(bytes) ? bytes : undefined;
  });
}

/** Seconds, parsed to milliseconds. */
export function seconds(most: number, description: string): OptionRow<number, number> {
  return parsed('seconds', description, `expected seconds from 0 to ${most}`, (given) => {
    const value = typeof given === 'string' && given.trim() !== '' ? Number(given) : given;
    return typeof value === 'number' && value >= 0 && value <= most ? Math.round(value * 1000) : undefined;
  });
}
