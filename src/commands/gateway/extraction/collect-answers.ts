/** Takes a tenant's quota: sends texts until the gateway refuses, or enough rows have come. */

import type { Connection } from '../../../../clients/typescript/connection/connect.js';
import type { ClientBundle } from '../../../../clients/typescript/model/client-bundle.js';
import { RemoteModel } from '../../../../clients/typescript/model/remote-model.js';
import { CutlayerError } from '../../../errors.js';
import { f32, type Tensor, tensor } from '../../../tensor/tensor.js';
import type { AnswersFile } from './answers-file.js';
import type { AttackText, AttackTexts } from './attack-texts.js';

/** What is taken, and where it goes. */
export interface CollectOptions {
  readonly bundle: ClientBundle;
  readonly connection: Connection;
  readonly texts: AttackTexts;
  readonly answers: AnswersFile;
  /** Texts at most. */
  readonly most: number;
  /** Texts of a call. */
  readonly batch: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (texts: number) => void;
}

/** @returns the refusal that ended it; undefined when all texts were answered */
export async function collectAnswers(options: CollectOptions): Promise<CutlayerError | undefined> {
  const { bundle, connection, texts, answers, most, signal } = options;
  const remote = new RemoteModel(connection);
  let batch = options.batch;
  while (answers.texts < most) {
    const count = Math.min(batch, most - answers.texts);
    const taken = Array.from({ length: count }, (_, at) => texts.text(answers.texts + at));
    try {
      const hiddenStates = await rowsOfTexts(bundle, taken, signal);
      const { output } = await remote.forward({
        hiddenStates,
        lengths: taken.map(({ tokenIds }) => tokenIds.length),
        training: false,
        signal,
      });
      await answers.append(output.data);
    } catch (caught) {
      const error = CutlayerError.from(caught);
      if (error.code !== 'PROTECTION_REFUSED') throw error;
      // What is left of a day may be enough for fewer texts.
      if (count === 1) return error;
      batch = Math.floor(count / 2);
      continue;
    }
    options.onProgress?.(answers.texts);
  }
  return undefined;
}

/** The rows [B, S, d] that a client sends for texts of one length. */
export async function rowsOfTexts(
  bundle: ClientBundle,
  texts: readonly Pick<AttackText, 'tokenIds'>[],
  signal?: AbortSignal,
): Promise<Tensor<'float32'>> {
  const length = Math.max(...texts.map(({ tokenIds }) => tokenIds.length));
  const ids = new BigInt64Array(texts.length * length);
  for (const [b, { tokenIds }] of texts.entries()) for (const [s, id] of tokenIds.entries()) ids[b * length + s] = BigInt(id);
  const inputsEmbeds = await bundle.inputsEmbeds(tensor('int64', [texts.length, length], ids), signal);
  if (!bundle.has('bottom')) return inputsEmbeds;
  const { hiddenStates } = await bundle.spanForward({ span: 'bottom', kind: 'none', trained: false }, { inputsEmbeds }, signal);
  return f32(inputsEmbeds.shape, hiddenStates!.data);
}
