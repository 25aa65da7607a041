/**
 * The file that a vendor makes for one customer: address, CA, token, and where the bundle is.
 * `cutlayer gateway onboard` writes it, `cutlayer client login --from` reads it. It is a secret.
 */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { CutlayerError } from '../../../../src/errors.js';
import { createFileAtomic } from '../../../../src/files/atomic-file.js';
import { parseJson } from '../../../../src/files/json-text.js';

/** The version of the format. */
export const ONBOARDING_VERSION = 1;
const KIND = 'cutlayer-onboarding';
const MAX_BYTES = 1 << 20;

const text = z.string().min(1).max(4096);
const schema = z.strictObject({
  kind: z.literal(KIND),
  version: z.literal(ONBOARDING_VERSION),
  tenant: text,
  gateway: text,
  /** PEM; absent where the system's authorities are enough. */
  ca: z.string().includes('-----BEGIN CERTIFICATE-----').max(MAX_BYTES).optional(),
  token: text,
  bundle: z.strictObject({
    url: text.optional(),
    path: text.optional(),
    /** sha256 of the bundle's manifest.json, hex. */
    manifestSha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .optional(),
  }),
});

/** What the file says. */
export type Onboarding = Omit<z.infer<typeof schema>, 'kind' | 'version'>;

/** Writes a new file of mode 0600. @throws CutlayerError ALREADY_EXISTS, IO_ERROR */
export async function writeOnboarding(path: string, onboarding: Onboarding): Promise<void> {
  const content: z.infer<typeof schema> = { kind: KIND, version: ONBOARDING_VERSION, ...onboarding };
  if (await createFileAtomic(path, `${JSON.stringify(content, undefined, 2)}\n`)) return;
  throw new CutlayerError(
    'ALREADY_EXISTS',
    `${path}: there is a file already, perhaps with a token that is still good; give another --out`,
  );
}

/** @throws CutlayerError NOT_FOUND, INVALID_CONFIG */
export async function readOnboarding(path: string): Promise<Onboarding> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${path}: no such file; the vendor makes it with cutlayer gateway onboard`, { cause });
  });
  const wrong = (why: string, cause?: unknown) =>
    new CutlayerError('INVALID_CONFIG', `${path}: expected the file that cutlayer gateway onboard has written; ${why}`, { cause });
  if (!found.isFile() || found.size > MAX_BYTES) throw wrong(`this is no file of at most ${MAX_BYTES} bytes`);
  let content: unknown;
  try {
    content = parseJson(await readFile(path, 'utf8'));
  } catch {
    // The cause would print the text, which holds a token.
    throw wrong('this is not JSON: was it changed on its way?');
  }
  const version = z.object({ kind: z.literal(KIND), version: z.number() }).safeParse(content).data?.version;
  if (version !== undefined && version !== ONBOARDING_VERSION)
    throw wrong(`its version is ${version}, this program reads ${ONBOARDING_VERSION}: use the vendor's version of cutlayer`);
  const { success, data, error } = schema.safeParse(content);
  if (!success)
    throw wrong(
      `wrong or missing: ${error.issues
        .map((issue) => issue.path.join('.') || 'the whole')
        .slice(0, 5)
        .join(', ')}`,
    );
  const { kind: _, version: __, ...onboarding } = data;
  return onboarding;
}
