/** A backbone whose weights are inputs, for who trains one: a student of another's answers. */
import type { Cut } from '../../artifacts/manifest.js';
import type { Partition } from '../autodiff/partition.js';
import { DecoderGraph } from '../models/decoder-weights.js';
import type { ModelDescription } from '../models/registry.js';
import type { Weight } from '../models/weights.js';
import { blockWeights, spansOf } from './cut.js';
import { partitionStep } from './graph-pair.js';
import { buildSpan } from './span.js';

/** The backbone's weights. */
export const backboneWeights = ({ weights }: ModelDescription, cut: Cut): readonly Weight[] => blockWeights(weights, spansOf(cut).backbone);

/**
 * Inputs: `hiddenStates` [B,S,d], `positions` int64 [N], and each weight under its name. Forward
 * gives `output` [N,d] and the residuals. The vjp takes `cotangent` [N,d] and gives
 * `<name>Cotangent` of each weight.
 */
export function compileTrainedBackbone(model: ModelDescription, cut: Cut): Partition {
  const decoder = new DecoderGraph(model, 'inputs');
  const { rows } = buildSpan(decoder, cut, 'backbone', 'none');
  const wrt = backboneWeights(model, cut).map(({ name, shape }) => [name, decoder.g.input(name, 'float32', shape)] as const);
  return partitionStep(decoder.g, rows, Object.fromEntries(wrt));
}
