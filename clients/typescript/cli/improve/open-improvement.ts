/** From the options of `improve` to an open state directory. */
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { writeFileAtomic } from '../../../../src/files/atomic-file.js';
import { configText } from '../../../../src/options/config-text.js';
import { Improvement, type ImprovementEvent } from '../../improvement/improvement.js';
import type { TrainEvent } from '../../training/train-options.js';
import type { Session } from '../session.js';
import { type ResolvedTrainFlags, resolveTrainFlags } from '../train/prepare-training.js';
import { RUN_CONFIG_FILE } from '../train/run-config.js';
import { type ImproveFlags, improveOptions } from './improve-options.js';
import { splitTrainer } from './split-trainer.js';
import { storeSecret } from './store-secret.js';

/** Who is told. */
export interface ImprovementListeners {
  readonly onTrain: (event: TrainEvent) => void;
  readonly onEvent: (event: ImprovementEvent) => void;
}

/**
 * Opens the directory, and writes its settings into it.
 * @throws CutlayerError as `Improvement.open`; naming a flag that the model cannot follow
 */
export async function openImprovement(
  flags: ImproveFlags,
  session: Session,
  signal: AbortSignal,
  { onTrain, onEvent }: ImprovementListeners,
): Promise<Improvement> {
  const { dir, heldOutShare, minRating, rehearsal, every, minNew } = flags;
  const secret = await storeSecret(flags);
  const trainer = await splitTrainer(trainFlagsOf(flags), { heldOutShare, minRating, rehearsal }, session, signal, onTrain);
  const improvement = await Improvement.open({ ...flags, trainer, secret, everyMs: every, minNew, now: Date.now, onEvent });
  try {
    await writeFileAtomic(join(dir, RUN_CONFIG_FILE), configText(improveOptions, recorded(flags), heading(dir)));
    return improvement;
  } catch (error) {
    await improvement.close();
    throw error;
  }
}

/** The settings of a training run. @throws CutlayerError INVALID_OPTION */
export function trainFlagsOf(flags: ImproveFlags): ResolvedTrainFlags {
  const { bundle, gateway } = flags;
  if (bundle === undefined)
    throw new CutlayerError('INVALID_OPTION', '--bundle: expected the client bundle of the vendor, or a --profile with one');
  if (gateway === undefined)
    throw new CutlayerError('INVALID_OPTION', '--gateway: expected host:port of the vendor, or a --profile with it');
  const shares = { '--held-out-share': flags.heldOutShare, '--rehearsal': flags.rehearsal };
  for (const [flag, share] of Object.entries(shares))
    if (share >= 1) throw new CutlayerError('INVALID_OPTION', `${flag}: expected a share from 0 to below 1, got ${share}`);
  const inactive = { validation: undefined, evalEvery: undefined, patience: undefined };
  const open = { dpClipNorm: undefined, dpNoiseMultiplier: undefined, dpEpsilon: undefined, dpDelta: 1e-5 };
  return resolveTrainFlags({ ...flags, ...inactive, ...open, bundle, gateway, data: '', out: '', resume: true });
}

/** Values as the file gives them. */
function recorded({ every, ...flags }: ImproveFlags): Readonly<Record<string, unknown>> {
  return { ...flags, every: every === undefined ? undefined : `${every / 1000}s` };
}

function heading(dir: string): readonly string[] {
  return ['The settings of this improvement. To go on with it:', `  cutlayer client improve --config ${join(dir, RUN_CONFIG_FILE)}`];
}
