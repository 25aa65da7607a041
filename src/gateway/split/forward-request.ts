/** Parses a ForwardRequest; everything is checked before a tensor is decoded. */
import { stepGraphsOf } from '../../artifacts/step-graphs.js';
import type { BackboneArtifact } from '../../artifacts/store.js';
import { CutlayerError } from '../../errors.js';
import type { ForwardRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/ForwardRequest.js';
import { checkTensor, decodeTensor, type ExpectedTensor } from '../../protocol/wire/tensor-codec.js';
import type { WireDType } from '../../protocol/wire/wire-dtype.js';
import { type PackedSequences, packedRows } from '../../tensor/sequences.js';
import type { ForwardStep } from '../engine/engine.js';
import { type AdapterInput, type CheckedInputs, type StepInputs, sentRows, stepShapes, virtualTokensOf } from '../engine/step-inputs.js';
import { answerDType, checkDigest, checkLimit, checkStepId } from './fields.js';
import type { SplitLimits } from './limits.js';

/** A checked forward: the step without its tenant, and how to answer. */
export interface ParsedForward {
  readonly step: Pick<ForwardStep, 'stepId' | 'inputs' | 'training'>;
  readonly answerDType: WireDType;
  /** Real tokens of each sequence. */
  readonly lengths: readonly number[];
  /** Of the hidden states. */
  readonly dtype: WireDType;
  /** Rows that were sent, padding too. */
  readonly rows: number;
}

const wrong = (field: string, message: string): CutlayerError =>
  new CutlayerError('INVALID_ARGUMENT', `${field}: ${message}`, { details: { field } });

/**
 * Checks and decodes a forward.
 * @throws CutlayerError INVALID_ARGUMENT, INVALID_DTYPE, INVALID_SHAPE, LIMIT_EXCEEDED, NON_FINITE,
 *   BACKBONE_MISMATCH, ADAPTER_UNSUPPORTED
 */
export function parseForward(request: ForwardRequest__Output, backbone: BackboneArtifact, limits: SplitLimits): ParsedForward {
  const { dims } = backbone.manifest;
  const stepId = checkStepId(request.stepId);
  checkDigest(request.backboneDigest, backbone.digest);
  const isPacked = request.hiddenStates?.shape.length === 2;
  const shape = isPacked ? stepShapes.packedHiddenStates(dims) : stepShapes.hiddenStates(dims);
  const hiddenExpected: ExpectedTensor = { name: 'hiddenStates', shape };
  const hidden = checkTensor(request.hiddenStates, hiddenExpected);
  const packed = isPacked ? packedSequences(request.lengths, hidden.shape[0]!) : undefined;
  const [batch, sequence] = packed === undefined ? (hidden.shape as readonly [number, number]) : [packed.lengths.length, packed.sequence];
  checkLimit('hiddenStates batch', batch, limits.maxBatch);
  const adapterExpected = expectedAdapter(request, backbone.manifest);
  const virtualTokens =
    adapterExpected === undefined
      ? 0
      : virtualTokensOf(adapterExpected.name, checkTensor(request[adapterExpected.name], adapterExpected).shape);
  checkLimit(`${adapterExpected?.name ?? 'adapter'} virtual tokens`, virtualTokens, limits.maxVirtualTokens);
  checkLimit('hiddenStates sequence with virtual tokens', sequence + virtualTokens, dims.maxPositions);
  checkLimit('rows (batch * sequence + virtual tokens)', batch * sequence + virtualTokens, limits.maxTokens);
  if (packed === undefined) checkLengths(request.lengths, batch, sequence);
  const promptRows = adapterExpected?.name === 'softPrompt' ? virtualTokens : 0;
  const positions = expandPositions(request.positions, {
    promptRows,
    rows: promptRows + hidden.elements / dims.hiddenSize,
    isPadding: packed === undefined ? (text) => text % sequence >= request.lengths[Math.floor(text / sequence)]! : () => false,
  });
  const inputs: StepInputs = {
    hiddenStates: decodeTensor(request.hiddenStates, hiddenExpected),
    packed,
    adapter: decodeAdapter(request, adapterExpected),
    positions,
  };
  return {
    // The checks above are what the brand states.
    step: { stepId, inputs: inputs as CheckedInputs, training: request.training },
    answerDType: answerDType(request.responseDtype, hidden.dtype),
    lengths: request.lengths,
    dtype: hidden.dtype,
    rows: sentRows(inputs),
  };
}

/** The expected tensor of an adapter. */
type ExpectedAdapter = ExpectedTensor & { readonly name: 'softPrompt' | 'prefix' };

/** What is expected of the request's adapter; undefined when it has none. */
function expectedAdapter(
  { softPrompt, prefix }: ForwardRequest__Output,
  manifest: BackboneArtifact['manifest'],
): ExpectedAdapter | undefined {
  const kinds = (['softPrompt', 'prefix'] as const).filter((kind) => ({ softPrompt, prefix })[kind] != null);
  if (kinds.length > 1) throw wrong('adapter', 'expected a soft prompt or a prefix, got both');
  const [name] = kinds;
  if (name === undefined) return undefined;
  stepGraphsOf(manifest, name);
  return { name, shape: stepShapes[name](manifest.dims) };
}

function decodeAdapter(request: ForwardRequest__Output, expected: ExpectedAdapter | undefined): AdapterInput {
  return expected === undefined ? { kind: 'none' } : { kind: expected.name, value: decodeTensor(request[expected.name], expected) };
}

function checkLengths(lengths: readonly number[], batch: number, sequence: number): void {
  if (lengths.length !== batch) throw wrong('lengths', `expected ${batch}, one per batch row, got ${lengths.length}`);
  const bad = lengths.findIndex((length) => length < 1 || length > sequence);
  if (bad >= 0) throw wrong('lengths', `expected 1 to ${sequence}, got ${lengths[bad]} at row ${bad}`);
}

/** The sequences of packed rows, by their lengths. */
function packedSequences(lengths: readonly number[], rows: number): PackedSequences {
  const sum = packedRows(lengths);
  const bad = lengths.findIndex((length) => length < 1);
  if (bad >= 0) throw wrong('lengths', `expected at least 1, got ${lengths[bad]} at row ${bad}`);
  if (sum !== rows) throw wrong('lengths', `expected a sum of ${rows}, the packed rows of hiddenStates, got ${sum}`);
  return { lengths, sequence: lengths.reduce((longest, length) => Math.max(longest, length), 0) };
}

/** The rows of a step: the soft prompt's first, then those of the sequences. */
interface StepRows {
  readonly promptRows: number;
  /** All together. */
  readonly rows: number;
  /** Whether a row of the sequences is padding. */
  readonly isPadding: (text: number) => boolean;
}

/** The rows of `positions`, checked: strictly increasing, in range, no padding. Empty: all rows. */
function expandPositions(positions: readonly number[], { promptRows, rows, isPadding }: StepRows): BigInt64Array {
  const count = positions.length === 0 ? rows : positions.length;
  const out = new BigInt64Array(count);
  // Little-endian 64-bit integers below 2^32: the low words are the values. Faster than BigInts.
  const low = new Uint32Array(out.buffer);
  if (positions.length === 0) {
    for (let row = 0; row < rows; row++) low[2 * row] = row;
    return out;
  }
  let previous = -1;
  for (let i = 0; i < count; i++) {
    const row = positions[i]!;
    if (row <= previous) throw wrong('positions', `expected a strictly increasing list, got ${row} after ${previous} at index ${i}`);
    if (row >= rows) throw wrong('positions', `expected rows below ${rows}, got ${row} at index ${i}`);
    const text = row - promptRows;
    if (text >= 0 && isPadding(text)) {
      throw wrong('positions', `expected rows of real tokens, got row ${row}, which is padding, at index ${i}`);
    }
    low[2 * i] = row;
    previous = row;
  }
  return out;
}
