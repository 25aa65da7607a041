/**
 * A file that one party makes for another: JSON with a kind and a version, private to its reader.
 * It may hold a token, so no error repeats its content.
 */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { CutlayerError } from '../../../../src/errors.js';
import { createFileAtomic } from '../../../../src/files/atomic-file.js';
import { parseJson } from '../../../../src/files/json-text.js';

/** A larger file is something else. */
export const MAX_BYTES = 1 << 20;

/** A text of such a file. */
export const shortText = z.string().min(1).max(4096);
/** A sha256 or a key. */
export const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
/** Certificates, PEM. */
export const authority = z.string().includes('-----BEGIN CERTIFICATE-----').max(MAX_BYTES);

/** The kinds: which command writes it, which one reads it, and the maker. */
const kinds = {
  'cutlayer-onboarding': { writer: 'cutlayer gateway onboard', reader: 'cutlayer client login --from', maker: 'the vendor' },
  'cutlayer-invite': { writer: 'cutlayer coordinator invite', reader: 'cutlayer client federate --invite', maker: 'the founder' },
} as const;

type Kind = keyof typeof kinds;

/** What tells such a file from others. */
interface HandedFormat<Fields extends z.ZodRawShape> {
  readonly kind: Kind;
  readonly version: number;
  readonly fields: Fields;
}

/** Writes a new file of mode 0600. @throws CutlayerError ALREADY_EXISTS, IO_ERROR */
export async function writeHanded(
  path: string,
  { kind, version }: Pick<HandedFormat<z.ZodRawShape>, 'kind' | 'version'>,
  content: object,
): Promise<void> {
  if (await createFileAtomic(path, `${JSON.stringify({ kind, version, ...content }, undefined, 2)}\n`)) return;
  throw new CutlayerError(
    'ALREADY_EXISTS',
    `${path}: there is a file already, perhaps with a token that is still good; give another --out`,
  );
}

/** @throws CutlayerError NOT_FOUND, INVALID_CONFIG (another kind or version, changed, broken) */
export async function readHanded<Fields extends z.ZodRawShape>(
  path: string,
  { kind, version, fields }: HandedFormat<Fields>,
): Promise<z.output<z.ZodObject<Fields>>> {
  const { writer, maker } = kinds[kind];
  const found = await stat(path).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${path}: no such file; ${maker} makes it with ${writer}`, { cause });
  });
  const wrong = (why: string) => new CutlayerError('INVALID_CONFIG', `${path}: expected the file that ${writer} has written; ${why}`);
  if (!found.isFile() || found.size > MAX_BYTES) throw wrong(`this is no file of at most ${MAX_BYTES} bytes`);
  let content: unknown;
  try {
    content = parseJson(await readFile(path, 'utf8'));
  } catch {
    // The cause would print the text, which holds a token.
    throw wrong('this is not JSON: was it changed on its way?');
  }
  const other = z.object({ kind: z.enum(Object.keys(kinds) as [Kind, ...Kind[]]) }).safeParse(content).data?.kind; // the record has exactly these keys
  if (other !== undefined && other !== kind) throw wrong(`this one is of ${kinds[other].writer}, for ${kinds[other].reader}`);
  const its = z.object({ kind: z.literal(kind), version: z.number() }).safeParse(content).data?.version;
  if (its !== undefined && its !== version)
    throw wrong(`its version is ${its}, this program reads ${version}: use ${maker}'s version of cutlayer`);
  const head = { kind: z.literal(kind), version: z.literal(version) };
  const { success, data, error } = z.strictObject({ ...fields, ...head }).safeParse(content);
  if (!success)
    throw wrong(
      `wrong or missing: ${error.issues
        .map((issue) => issue.path.join('.') || 'the whole')
        .slice(0, 5)
        .join(', ')}`,
    );
  const { kind: _, version: __, ...rest } = data as Record<string, unknown>;
  return rest as z.output<z.ZodObject<Fields>>; // the schema has checked exactly these fields
}
