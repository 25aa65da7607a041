/** Parsers of options as people give them (text), which the configurations of gateway and coordinator share. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { CutlayerError } from '../errors.js';

const unitBytes: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** `512MiB`, `2G`, `1048576`: binary units. */
export const byteSize = z.string().transform((text, context) => {
  const match = /^(\d+(?:\.\d+)?)\s*([KMG]?)(?:i?B)?$/i.exec(text);
  const bytes = match === null ? Number.NaN : Math.round(Number(match[1]) * unitBytes[match[2]!.toUpperCase()]!);
  if (!Number.isSafeInteger(bytes)) {
    context.addIssue({ code: 'custom', message: `expected a size such as 512MiB or 2GiB, got ${text}` });
    return z.NEVER;
  }
  return bytes;
});

/** `gateway,10.0.0.7`: host names and addresses, comma-separated; none when empty. */
export const names = z.string().transform((text, context): readonly string[] => {
  const parts = text.split(',').filter((part) => part !== '');
  const bad = parts.find((part) => isIP(part) === 0 && !/^(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/.test(part));
  if (bad !== undefined) context.addIssue({ code: 'custom', message: `expected host names or addresses, comma-separated, got ${bad}` });
  return parts;
});

/** A whole number. */
export const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
/** Seconds, parsed to milliseconds. */
export const seconds = (most: number) =>
  z.coerce
    .number()
    .min(0)
    .max(most)
    .transform((value) => Math.round(value * 1000));
/** How much a server logs. */
export const logLevel = z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']);

/** Kebab-case, as on the command line. */
const flagOf = (path: PropertyKey | undefined): string =>
  `--${String(path ?? '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/**
 * Parses options whose values are texts, numbers or booleans, into a frozen value.
 * @throws CutlayerError INVALID_OPTION naming the flag
 */
export function parseOptions<Schema extends z.ZodType<object>>(
  schema: Schema,
  options: Readonly<Record<string, unknown>>,
): Readonly<z.output<Schema>> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return Object.freeze(parsed.data);
  const issue = parsed.error.issues[0]!;
  throw new CutlayerError('INVALID_OPTION', `${flagOf(issue.path[0])}: ${issue.message}`);
}
