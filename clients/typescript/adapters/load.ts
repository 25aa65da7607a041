/** Opens a saved adapter as an object that can be trained on or generated with. */
import { join } from 'node:path';
import { CutlayerError } from '../../../src/errors.js';
import type { Adapter } from './adapter.js';
import { CONFIG_FILE, readAdapterConfig } from './adapter-config.js';
import { combine } from './combine.js';
import type { AdapterContext } from './context.js';
import { LearnedRows, readTransform } from './learned-rows.js';
import { methods } from './registry.js';
import { loadClassifier } from './sequence-classification.js';
import { checkSidecar, readSidecar, SIDECAR_FILE } from './sidecar.js';

/**
 * Reads a directory written by PEFT or this library, or a combination.
 * @throws CutlayerError NOT_FOUND, INVALID_ADAPTER (broken, or of other shapes), ADAPTER_MISMATCH
 *   (trained with another backbone, cut or tokenizer)
 */
export async function loadAdapter(dir: string, context: AdapterContext): Promise<Adapter> {
  const adapter = await loadMethods(dir, context);
  const transform = await readTransform(dir, context.bundle.dims.hiddenSize);
  return transform === undefined ? adapter : new LearnedRows(adapter, transform);
}

/** The same without a transform of rows. */
async function loadMethods(dir: string, context: AdapterContext): Promise<Adapter> {
  const sidecar = await readSidecar(dir);
  if (sidecar !== undefined) checkSidecar(dir, sidecar, context.bundle.identity);
  if (sidecar?.parts !== undefined) {
    const adapters: Adapter[] = [];
    for (const part of sidecar.parts) adapters.push(await loadMethods(join(dir, part), context));
    return combine(context, adapters);
  }
  const rows = Object.values(methods);
  const byName = sidecar === undefined ? undefined : rows.find(({ method }) => method === sidecar.method);
  if (byName?.peftType === null) return byName.load(context, dir, { peft_type: '' }); // its files are its own
  const config = await readAdapterConfig(dir);
  if (byName !== undefined && byName.peftType !== config.peft_type) {
    throw new CutlayerError(
      'INVALID_ADAPTER',
      `${dir}: ${SIDECAR_FILE} says ${byName.method}, which is ${byName.peftType} in PEFT, but the peft_type of ${CONFIG_FILE} is ` +
        `${config.peft_type}; copy the adapter again`,
    );
  }
  const row = byName ?? rows.find(({ peftType }) => peftType !== null && peftType === config.peft_type);
  if (row === undefined) {
    const known = rows.flatMap(({ peftType }) => peftType ?? []).join(', ');
    throw new CutlayerError('INVALID_ADAPTER', `${dir}: peft_type ${config.peft_type} is not supported; expected ${known}`);
  }
  const task = config.task_type ?? 'CAUSAL_LM';
  if (task !== 'CAUSAL_LM' && task !== 'SEQ_CLS') {
    throw new CutlayerError('INVALID_ADAPTER', `${dir}: task_type must be CAUSAL_LM or SEQ_CLS, got ${task}`);
  }
  const adapter = await row.load(context, dir, config);
  return task === 'CAUSAL_LM' ? adapter : combine(context, [adapter, await loadClassifier(context.bundle, dir)]);
}
