/** What the gateway charges for one step, from its shapes alone; split-step.ts sends it. */
import { wireBytes } from '../../../src/protocol/wire/wire-dtype.js';
import type { StepParts } from '../adapters/adapter.js';
import type { ChargedWork } from '../connection/charged-work.js';
import { type Batch, leadingRows } from '../data/batch.js';
import type { SplitModel } from './split-model.js';
import { promptRowsOf } from './split-step.js';
import { wireRows } from './wire-rows.js';

/** A step. */
export interface StepShape {
  readonly batch: Batch;
  readonly parts: StepParts;
  /** Rows that carry loss. */
  readonly positions: number;
  readonly training: boolean;
}

/** The work of a step and, in training, of its vjp. */
export function stepWork({ bundle, remote }: Pick<SplitModel, 'bundle' | 'remote'>, shape: StepShape): ChargedWork {
  const { batch, parts, training } = shape;
  const { wireDtype, card } = remote.connection;
  const { hiddenSize } = card.dims;
  const [count, sequence] = batch.tokenIds.shape as [number, number];
  const { softPrompt, prefix, tokenRows, blockWeights, rowTransform } = parts;
  const lead = leadingRows(batch, promptRowsOf(parts));
  const crossing = wireRows({ batch: count, sequence, lengths: batch.lengths }, card.packedRows);
  const rows = lead + crossing.count;
  const text = wireBytes(crossing.shape(hiddenSize), wireDtype);
  const virtual =
    lead > 0
      ? wireBytes([lead, hiddenSize], wireDtype)
      : prefix !== undefined
        ? wireBytes([bundle.dims.backbone, ...prefix.shape.slice(1)], wireDtype)
        : 0;
  const wanted = wireBytes([bundle.has('top') || batch.ends !== undefined ? rows : shape.positions, hiddenSize], wireDtype);
  const trainsBottom = bundle.holdsSome('bottom', blockWeights);
  const given = softPrompt !== undefined || prefix !== undefined;
  const forward = { forward: rows, backward: 0, bytesIn: text + virtual, bytesOut: wanted };
  const trainsRows = tokenRows !== undefined || rowTransform !== undefined;
  if (!training || !(given || trainsRows || trainsBottom)) return forward;
  const wantsText = trainsBottom || trainsRows || (given && bundle.dims.bottom > 0);
  return {
    ...forward,
    backward: rows,
    bytesIn: forward.bytesIn + wanted,
    bytesOut: forward.bytesOut + virtual + (wantsText ? text : 0),
  };
}
