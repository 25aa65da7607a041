/** From the options of defences to defences. */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CutlayerError } from '../../../src/errors.js';
import { createFileAtomic } from '../../../src/files/atomic-file.js';
import { stderr } from '../../../src/files/output.js';
import type { ServedModel } from '../connection/served-model.js';
import { defenceText } from '../defences/defence.js';
import { Defences } from '../defences/defences.js';
import { labelNoise } from '../defences/label-noise.js';
import { learnedNoise } from '../defences/learned-noise.js';
import { NoiseSecret } from '../defences/noise-secret.js';
import { padLengths } from '../defences/pad-lengths.js';
import { type Redactor, redactor } from '../defences/redaction.js';
import { rowNoise } from '../defences/row-noise.js';
import type { RowStage } from '../defences/row-stage.js';
import { tokenNoise } from '../defences/token-noise.js';
import type { ClientBundle } from '../model/client-bundle.js';
import { rowDeviation } from '../model/row-deviation.js';
import { type DefenceFlags, drawsNoise } from './defence-options.js';

/** Where none is given. */
const TOKEN_DELTA = 1e-5;

/** In a run's directory: the secret of its noise. */
const SECRET_FILE = 'defence-secret';

/** Noise of a run has the run's own secret, so that what goes on later draws the same. */
export function withSecretIn<Given extends Partial<DefenceFlags>>(dir: string, flags: Given): Given {
  return drawsNoise(flags) ? { ...flags, defenceSecretFile: flags.defenceSecretFile ?? join(dir, SECRET_FILE) } : flags;
}

type Flags = Partial<DefenceFlags> & { readonly method?: string };

/** Makes them and says what each may claim. @throws CutlayerError INVALID_OPTION (the secret) */
export async function openDefences(flags: Flags, bundle: ClientBundle): Promise<Defences> {
  const secret = drawsNoise(flags) ? await noiseSecret(flags.defenceSecretFile) : NoiseSecret.fresh();
  const { defences, notes } = await made(flags, bundle, secret);
  for (const line of [...defenceLines(defences), ...notes]) stderr.line(line);
  return defences;
}

/** The same defences with a secret of their own, in silence. @throws as {@link openDefences} */
export async function twinDefences(flags: Flags, bundle: ClientBundle): Promise<Defences> {
  return (await made(flags, bundle, NoiseSecret.fresh())).defences;
}

async function made(
  flags: Flags,
  bundle: ClientBundle,
  secret: NoiseSecret,
): Promise<{ readonly defences: Defences; readonly notes: readonly string[] }> {
  const { tokenNoise: noise, tokenClip = 1, tokenDelta = TOKEN_DELTA, padLengths: lengths } = flags;
  const rows: RowStage[] = [];
  const notes: string[] = [];
  if (noise !== undefined) {
    const clipNorm = tokenClip * (await rowDeviation(bundle, 'embedding')) * Math.sqrt(bundle.dims.hiddenSize);
    rows.push(tokenNoise({ clipNorm, noiseMultiplier: noise, clip: tokenClip, secret }));
    notes.push(await tokenNote(flags, noise, tokenDelta));
  }
  if (flags.rowNoise !== undefined) {
    rows.push(rowNoise({ scale: flags.rowNoise, deviation: await rowDeviation(bundle), secret }));
  }
  if (flags.learnedNoise !== undefined) rows.push(learnedNoise({ strength: flags.learnedNoise, secret }));
  if (lengths !== undefined && bundle.decoders.ropeByLength) throw unpaddable();
  const labels = flags.labelNoise === undefined ? undefined : labelNoise({ epsilon: flags.labelNoise, secret });
  return { defences: new Defences(rows, lengths && padLengths(lengths), await redactorOf(flags), labels), notes };
}

/** For what a bundle without blocks does not say. @throws CutlayerError INVALID_OPTION */
export function checkPadding({ pads }: Pick<Defences, 'pads'>, { maxLongDecodeRows }: Pick<ServedModel, 'maxLongDecodeRows'>): void {
  if (pads && maxLongDecodeRows > 0) throw unpaddable();
}

const unpaddable = (): CutlayerError =>
  new CutlayerError('INVALID_OPTION', '--pad-lengths: the rope of this model depends on the length of a sequence; leave it out');

async function redactorOf({ redact: kinds = [], redactWords: file }: Partial<DefenceFlags>): Promise<Redactor | undefined> {
  if (file === undefined) return kinds.length === 0 ? undefined : redactor({ kinds });
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new CutlayerError('NOT_FOUND', `--redact-words ${file}: cannot be read (${cause.code ?? 'it failed'})`, { cause });
  });
  const words = text.split(/\r?\n/).map((line) => line.trim());
  return redactor({ kinds, words: words.filter((word) => word !== '') });
}

/** The guarantee of noise on tokens, where there is one. */
async function tokenNote({ method }: Partial<DefenceFlags> & { readonly method?: string }, noise: number, delta: number): Promise<string> {
  const { tokenGuarantee } = await import('../defences/token-guarantee.js');
  if (method?.split('+').includes('trainable-tokens'))
    return 'token-noise: (token, no bound on epsilon): rows of trained tokens change from step to step under the same noise';
  return `token-noise: ${tokenGuarantee(noise, delta)} each time that a record is sent under noise of its own: once for a run of train or a federation, once more for each other command`;
}

/** What defences guarantee, with unit, epsilon and delta: those that draw noise by a law. */
export async function formalGuarantees(flags: Flags): Promise<readonly string[]> {
  const { tokenNoise: noise, tokenDelta = TOKEN_DELTA, labelNoise: epsilon } = flags;
  return [
    ...(noise === undefined ? [] : [await tokenNote(flags, noise, tokenDelta)]),
    ...(epsilon === undefined ? [] : [`label-noise: (label, epsilon ${epsilon}, delta 0) for all steps and runs under one secret`]),
  ];
}

/** What a run says of its defences: each with its claim. */
export function defenceLines({ all }: Defences): readonly string[] {
  return all.map((defence) => `defence ${defenceText(defence)}: ${defence.claim}`);
}

/** A file's secret, made when missing; without a file, one that nothing keeps. */
async function noiseSecret(file: string | undefined): Promise<NoiseSecret> {
  if (file === undefined) return NoiseSecret.fresh();
  await mkdir(dirname(file), { recursive: true });
  const made = NoiseSecret.fresh();
  if (await createFileAtomic(file, `${made.text()}\n`, { mode: 0o600 })) return made;
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new CutlayerError('INVALID_OPTION', `--defence-secret-file ${file}: cannot be read (${cause.code ?? 'it failed'})`, { cause });
  });
  return NoiseSecret.parse(text, `--defence-secret-file ${file}`);
}
