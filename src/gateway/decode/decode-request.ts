/** Parses the messages of a decode stream; everything is checked before a tensor is decoded. */

import { stepGraphsOf } from '../../artifacts/step-graphs.js';
import type { BackboneArtifact } from '../../artifacts/store.js';
import { CutlayerError } from '../../errors.js';
import type { AppendRows__Output } from '../../protocol/wire/generated/cutlayer/v1/AppendRows.js';
import type { OpenSession__Output } from '../../protocol/wire/generated/cutlayer/v1/OpenSession.js';
import { checkTensor, decodeTensor, type ExpectedTensor } from '../../protocol/wire/tensor-codec.js';
import { type WireDType, wireBytes } from '../../protocol/wire/wire-dtype.js';
import { type AdapterInput, stepShapes, virtualTokensOf } from '../engine/step-inputs.js';
import { answerDType, checkDigest, checkId, checkLimit } from '../split/fields.js';
import type { SplitLimits } from '../split/limits.js';
import type { AppendInput, OpenInput } from './sessions.js';

/** What requests are checked against. */
export interface DecodeChecks {
  readonly backbone: BackboneArtifact;
  readonly limits: Pick<SplitLimits, 'maxTokens' | 'maxVirtualTokens'>;
  /** Rows of the longest session. */
  readonly maxRows: number;
  /** Rows of the longest session with the rope of long sequences; 0: there is none. */
  readonly longRows: number;
}

/** A checked append, and how to answer. */
export interface ParsedAppend {
  readonly input: AppendInput;
  readonly answerDType: WireDType;
  /** Of the rows. */
  readonly dtype: WireDType;
  /** Bytes of the decoded rows. */
  readonly bytes: number;
}

const wrong = (field: string, message: string): CutlayerError =>
  new CutlayerError('INVALID_ARGUMENT', `${field}: ${message}`, { details: { field } });

/**
 * Checks and decodes the opening of a session.
 * @throws CutlayerError INVALID_ARGUMENT, INVALID_DTYPE, INVALID_SHAPE, LIMIT_EXCEEDED, NON_FINITE,
 *   BACKBONE_MISMATCH, ADAPTER_UNSUPPORTED
 */
export function parseOpen(request: OpenSession__Output, { backbone, limits, maxRows, longRows }: DecodeChecks): OpenInput {
  const { manifest, digest } = backbone;
  const id = checkId('open.sessionId', request.sessionId);
  checkDigest(request.backboneDigest, digest);
  if (request.maxRows < 1) throw wrong('open.maxRows', 'expected at least 1, got 0');
  const { longRope } = request;
  if (longRope && longRows === 0)
    throw wrong(
      'open.longRope',
      "this backbone has no sessions with the rope of long sequences: its rope has no such frequencies, or it was packed before they were known; see the model card's max_long_decode_rows",
    );
  checkLimit('open.maxRows', request.maxRows, longRope ? longRows : maxRows);
  const kinds = (['softPrompt', 'prefix'] as const).filter((kind) => request[kind] != null);
  if (kinds.length > 1) throw wrong('open.adapter', 'expected a soft prompt or a prefix, got both');
  const [kind] = kinds;
  if (kind === undefined) return { id, maxRows: request.maxRows, longRope, adapter: { kind: 'none' } };
  stepGraphsOf(manifest, kind);
  const expected: ExpectedTensor = { name: kind, shape: stepShapes[kind](manifest.dims) };
  const { shape, dtype } = checkTensor(request[kind], expected);
  const virtualTokens = virtualTokensOf(kind, shape);
  checkLimit(`${kind} virtual tokens`, virtualTokens, Math.min(limits.maxVirtualTokens, request.maxRows - 1));
  const adapter: AdapterInput = { kind, value: decodeTensor(request[kind], expected) };
  return { id, maxRows: request.maxRows, longRope, adapter, bytes: { bytesIn: wireBytes(shape, dtype), bytesOut: 0 } };
}

/**
 * Checks and decodes rows to append.
 * @throws CutlayerError INVALID_ARGUMENT, INVALID_DTYPE, INVALID_SHAPE, LIMIT_EXCEEDED, NON_FINITE
 */
export function parseAppend(request: AppendRows__Output, { backbone, limits }: DecodeChecks): ParsedAppend {
  const expected: ExpectedTensor = { name: 'rows', shape: ['*', backbone.manifest.dims.hiddenSize] };
  const { shape, dtype, elements } = checkTensor(request.rows, expected);
  const count = shape[0]!;
  checkLimit('rows', count, limits.maxTokens);
  const positions = wantedRows(request, count);
  const answer = answerDType(request.responseDtype, dtype);
  const bytes = { bytesIn: wireBytes(shape, dtype), bytesOut: wireBytes([positions.length, shape[1]!], answer) };
  return {
    input: { from: request.from, rows: decodeTensor(request.rows, expected), positions, bytes },
    answerDType: answer,
    dtype,
    bytes: elements * Float32Array.BYTES_PER_ELEMENT,
  };
}

function wantedRows({ positions, noRows }: Pick<AppendRows__Output, 'positions' | 'noRows'>, count: number): readonly number[] {
  if (noRows && positions.length > 0)
    throw wrong('noRows', `expected no positions with it, got ${positions.length}; leave out one of them`);
  if (noRows) return [];
  return positions.length === 0 ? [count - 1] : checkPositions(positions, count);
}

function checkPositions(positions: readonly number[], count: number): readonly number[] {
  positions.forEach((row, at) => {
    const before = at === 0 ? -1 : positions[at - 1]!;
    if (row <= before) throw wrong('positions', `expected a strictly increasing list, got ${row} after ${before} at index ${at}`);
    if (row >= count) throw wrong('positions', `expected rows below ${count}, got ${row} at index ${at}`);
  });
  return positions;
}
