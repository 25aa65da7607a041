/** AdamW's moments as named tensors, for checkpoints and a federation member's state. */
import { CutlayerError } from '../../../src/errors.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { Parameter } from '../adapters/adapter.js';
import type { AdamWState } from '../optimizers/adamw.js';

/** Two tensors of each parameter. @param optimizers One of each parameter, in their order. */
export function momentTensors(parameters: readonly Parameter[], optimizers: readonly AdamWState[]): Record<string, Tensor<'float32'>> {
  return Object.fromEntries(
    parameters.flatMap(({ name, value: { shape } }, at) => [
      [`exp_avg.${name}`, f32(shape, optimizers[at]!.expAvg)],
      [`exp_avg_sq.${name}`, f32(shape, optimizers[at]!.expAvgSq)],
    ]),
  );
}

/** The inverse of {@link momentTensors}. @throws CutlayerError ADAPTER_MISMATCH naming `where` */
export function savedMoments(
  tensors: ReadonlyMap<string, Tensor>,
  where: string,
  parameters: readonly Parameter[],
  step: number,
): readonly AdamWState[] {
  return parameters.map((parameter) => ({
    step,
    expAvg: savedValues(tensors, where, `exp_avg.${parameter.name}`, parameter),
    expAvgSq: savedValues(tensors, where, `exp_avg_sq.${parameter.name}`, parameter),
  }));
}

/** A saved tensor's values, of a parameter's shape. @throws CutlayerError ADAPTER_MISMATCH */
export function savedValues(tensors: ReadonlyMap<string, Tensor>, where: string, name: string, { value }: Parameter): Float32Array {
  const found = tensors.get(name);
  const wanted = value.shape.join(', ');
  if (found?.dtype === 'float32' && found.shape.join(', ') === wanted) return found.data as Float32Array;
  throw new CutlayerError(
    'ADAPTER_MISMATCH',
    `${where}: ${name}: expected float32 [${wanted}], got ${found === undefined ? 'nothing' : `${found.dtype} [${found.shape.join(', ')}]`}; ` +
      'use the settings of that run',
  );
}
