/** From the options of defences to defences. */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CutlayerError } from '../../../src/errors.js';
import { createFileAtomic } from '../../../src/files/atomic-file.js';
import { stderr } from '../../../src/files/output.js';
import { defenceText } from '../defences/defence.js';
import { Defences } from '../defences/defences.js';
import { NoiseSecret } from '../defences/noise-secret.js';
import { rowNoise } from '../defences/row-noise.js';
import type { RowStage } from '../defences/row-stage.js';
import type { ClientBundle } from '../model/client-bundle.js';
import { rowDeviation } from '../model/row-deviation.js';
import type { DefenceFlags } from './defence-options.js';

/** Makes them and says what each may claim. @throws CutlayerError INVALID_OPTION (the secret) */
export async function openDefences(flags: Partial<DefenceFlags>, bundle: ClientBundle): Promise<Defences> {
  const rows: RowStage[] = [];
  if (flags.rowNoise !== undefined) {
    const secret = await noiseSecret(flags.defenceSecretFile);
    rows.push(rowNoise({ scale: flags.rowNoise, deviation: await rowDeviation(bundle), secret }));
  }
  const defences = new Defences(rows);
  for (const line of defenceLines(defences)) stderr.line(line);
  return defences;
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
