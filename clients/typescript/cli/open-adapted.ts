/** The model of a session with the adapter that a command names. */
import type { Adapter } from '../adapters/adapter.js';
import { loadAdapter } from '../adapters/load.js';
import { learnedChats } from '../adapters/trained-on.js';
import type { Connection } from '../connection/connect.js';
import { adapterDirectory } from '../inspect/adapter-report.js';
import type { ClientBundle } from '../model/client-bundle.js';
import type { DraftModel } from '../model/draft-model.js';
import { RemoteModel } from '../model/remote-model.js';
import { SplitModel } from '../model/split-model.js';

/** A model, and the adapter that goes with it. */
export interface AdaptedModel<Named extends Adapter | undefined = Adapter | undefined> {
  readonly model: SplitModel;
  readonly adapter: Named;
  /** True: every example that the adapter learned was a conversation. */
  readonly learnedChats: boolean;
}

/**
 * @param path saved adapter, or a run's directory; undefined: the bare model. @throws CutlayerError
 *   as `loadAdapter`
 */
export function openAdapted(
  path: string,
  bundle: ClientBundle,
  connection: Connection,
  drafter?: DraftModel,
): Promise<AdaptedModel<Adapter>>;
export function openAdapted(
  path: string | undefined,
  bundle: ClientBundle,
  connection: Connection,
  drafter?: DraftModel,
): Promise<AdaptedModel>;
export async function openAdapted(
  path: string | undefined,
  bundle: ClientBundle,
  connection: Connection,
  drafter?: DraftModel,
): Promise<AdaptedModel> {
  const model = new SplitModel(bundle, new RemoteModel(connection), drafter);
  if (path === undefined) return { model, adapter: undefined, learnedChats: false };
  const dir = await adapterDirectory(path);
  return { model, adapter: await loadAdapter(dir, { bundle }), learnedChats: await learnedChats(dir) };
}
