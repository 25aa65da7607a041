/** The passphrase or key under which examples are stored. */
import { readFile } from 'node:fs/promises';
import { CutlayerError } from '../../../../src/errors.js';

export const PASSPHRASE_VARIABLE = 'CUTLAYER_PASSPHRASE';

const FEWEST_KEY_BYTES = 32;
const FEWEST_CHARACTERS = 12;
const MOST_BYTES = 65_536;

/** Where it may come from. */
export interface SecretFlags {
  readonly encryptKeyFile?: string | undefined;
  readonly passphraseFile?: string | undefined;
}

/** Undefined: examples are stored as plain text. @throws CutlayerError INVALID_OPTION, NOT_FOUND */
export async function storeSecret({ encryptKeyFile, passphraseFile }: SecretFlags): Promise<Uint8Array | undefined> {
  if (encryptKeyFile !== undefined && passphraseFile !== undefined)
    throw new CutlayerError('INVALID_OPTION', '--passphrase-file: expected either this or --encrypt-key-file, got both');
  if (encryptKeyFile !== undefined) {
    const key = await bytesOf('--encrypt-key-file', encryptKeyFile);
    if (key.length >= FEWEST_KEY_BYTES) return key;
    throw new CutlayerError(
      'INVALID_OPTION',
      `--encrypt-key-file ${encryptKeyFile}: expected at least ${FEWEST_KEY_BYTES} bytes, got ${key.length}; make one: openssl rand -out FILE 32`,
    );
  }
  const fromFile = passphraseFile === undefined ? undefined : (await bytesOf('--passphrase-file', passphraseFile)).toString('utf8');
  const passphrase = (fromFile ?? process.env[PASSPHRASE_VARIABLE] ?? '').trim();
  if (passphrase === '' && fromFile === undefined) return undefined;
  if (passphrase.length >= FEWEST_CHARACTERS) return Buffer.from(passphrase);
  const place = fromFile === undefined ? PASSPHRASE_VARIABLE : `--passphrase-file ${passphraseFile}`;
  throw new CutlayerError('INVALID_OPTION', `${place}: expected a passphrase of at least ${FEWEST_CHARACTERS} characters`);
}

async function bytesOf(flag: string, file: string): Promise<Buffer> {
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw new CutlayerError('NOT_FOUND', `${flag} ${file}: cannot be read (${cause.code ?? 'it failed'})`, { cause });
  });
  if (bytes.length > MOST_BYTES)
    throw new CutlayerError('INVALID_OPTION', `${flag} ${file}: expected at most ${MOST_BYTES} bytes, got ${bytes.length}`);
  return bytes;
}
