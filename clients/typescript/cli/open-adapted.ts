/** The model of a session with the adapter that a command names. */
import { CutlayerError } from '../../../src/errors.js';
import { stderr } from '../../../src/files/output.js';
import type { Adapter } from '../adapters/adapter.js';
import { LearnedRows } from '../adapters/learned-rows.js';
import { loadAdapter } from '../adapters/load.js';
import { learnedChats, trainedDefences } from '../adapters/trained-on.js';
import type { Defences } from '../defences/defences.js';
import { otherDefences, parseRecorded } from '../defences/recorded.js';
import { adapterDirectory } from '../inspect/adapter-report.js';
import { RemoteModel } from '../model/remote-model.js';
import { SplitModel } from '../model/split-model.js';
import type { Session } from './session.js';

type Opened = Pick<Session, 'bundle' | 'connection' | 'drafter' | 'defences'> & {
  /** Whether labels of training records are sent. */
  readonly labelled?: boolean;
};

/** A model, and the adapter that goes with it. */
export interface AdaptedModel<Named extends Adapter | undefined = Adapter | undefined> {
  readonly model: SplitModel;
  readonly adapter: Named;
  /** True: every example that the adapter learned was a conversation. */
  readonly learnedChats: boolean;
}

/**
 * Warns of an adapter that was trained with other defences.
 * @param path saved adapter, or a run's directory; undefined: the bare model. @throws CutlayerError
 *   as `loadAdapter`
 */
export function openAdapted(path: string, session: Opened): Promise<AdaptedModel<Adapter>>;
export function openAdapted(path: string | undefined, session: Opened): Promise<AdaptedModel>;
export async function openAdapted(
  path: string | undefined,
  { bundle, connection, drafter, defences, labelled }: Opened,
): Promise<AdaptedModel> {
  const model = new SplitModel(bundle, new RemoteModel(connection), drafter, defences);
  if (path === undefined) {
    checkTransform(undefined, defences);
    return { model, adapter: undefined, learnedChats: false };
  }
  const dir = await adapterDirectory(path);
  const adapter = await loadAdapter(dir, { bundle });
  checkTransform(adapter, defences, path);
  await warnOfDefences(path, dir, defences, labelled);
  return { model, adapter, learnedChats: await learnedChats(dir) };
}

/** @throws CutlayerError INVALID_OPTION where a learned transform is asked for and none is there */
export function checkTransform(adapter: Adapter | undefined, { learnedStrength }: Defences, shown = 'the bare model'): void {
  if (learnedStrength === undefined || adapter instanceof LearnedRows) return;
  throw new CutlayerError(
    'INVALID_OPTION',
    `--learned-noise: expected an adapter that was trained with it, for it holds the transform, got ${shown}; leave it out, or train one`,
  );
}

/**
 * @param shown What the adapter is called @param dir Its files
 * @param labelled Whether labels of training records are sent
 */
export async function warnOfDefences(shown: string, dir: string, defences: Defences, labelled = false): Promise<void> {
  const other = otherDefences(shown, parseRecorded(await trainedDefences(dir)), defences.all, labelled);
  if (other !== undefined) stderr.line(`warning: ${other}`);
}
