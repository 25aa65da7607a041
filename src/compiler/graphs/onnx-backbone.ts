/**
 * A backbone from an imported graph: hidden states [b, s, d] to hidden states [b, s, d]. The graph
 * is applied to the text alone, or to a soft prompt put before every sequence. Its derivative comes
 * from the same rules as any other graph's.
 */
import type { SpanKind } from '../../artifacts/manifest.js';
import { CutlayerError } from '../../errors.js';
import type { Partition } from '../autodiff/partition.js';
import { GraphBuilder } from '../onnx/builder.js';
import { addDims, multiplyDims, type Shape, shapesEqual, shapeText } from '../onnx/dim.js';
import { applyModel } from '../onnx/import/apply.js';
import type { OnnxModel } from '../onnx/import/model.js';
import type { ValueInfoProto } from '../onnx/import/proto.js';
import { computedDType, storedDType } from '../onnx/import/tensor-source.js';
import type { Value } from '../onnx/value.js';
import { partitionStep } from './graph-pair.js';
import { dims } from './span.js';

/** The one input and the one output of a backbone's graph. */
export interface BackbonePorts {
  readonly input: string;
  readonly output: string;
  readonly hiddenSize: number;
}

const EXPORT_HINT = 'export a module that maps inputs_embeds to last_hidden_state and nothing else (see docs/onnx.md)';

/**
 * Finds the ports of a backbone, and refuses any other graph.
 * @throws CutlayerError INVALID_ONNX naming the wrong input or output
 */
export function backbonePorts({ graph, initializers, path }: OnnxModel): BackbonePorts {
  const fail = (why: string) => new CutlayerError('INVALID_ONNX', `${path}: ${why}`);
  // Old models list their initializers among the inputs.
  const inputs = graph.input.filter(({ name }) => !initializers.has(name));
  const [input, ...moreInputs] = inputs;
  const [output, ...moreOutputs] = graph.output;
  if (input === undefined) throw fail(`expected one input, the hidden states [batch, sequence, hidden size]; got none; ${EXPORT_HINT}`);
  if (output === undefined) throw fail(`expected one output; got none; ${EXPORT_HINT}`);
  if (moreInputs.length > 0)
    throw fail(`expected one input, the hidden states; got ${namesOf(inputs)}: masks, positions and caches are not fed; ${EXPORT_HINT}`);
  if (moreOutputs.length > 0) throw fail(`expected one output, the hidden states; got ${namesOf(graph.output)}; ${EXPORT_HINT}`);
  return { input: input.name, output: output.name, hiddenSize: hiddenSizeOf(input, fail) };
}

function hiddenSizeOf({ name, type }: ValueInfoProto, fail: (why: string) => CutlayerError): number {
  const tensor = type?.tensor_type ?? undefined;
  const stored = tensor === undefined ? undefined : storedDType(tensor.elem_type);
  if (stored === undefined || computedDType(stored) !== 'float32')
    throw fail(`input "${name}": expected float32, float16 or bfloat16 hidden states, got ${stored ?? 'another type'}`);
  const shape = tensor?.shape?.dim ?? [];
  const shown = `[${shape.map(({ dim_value: value, dim_param: param }) => value ?? param ?? '?').join(', ')}]`;
  if (shape.length !== 3) throw fail(`input "${name}": expected [batch, sequence, hidden size], got ${shown}`);
  for (const [axis, what] of ['batch', 'sequence'].entries()) {
    if ((shape[axis]?.dim_value ?? 0) > 0)
      throw fail(`input "${name}": the ${what} dimension is fixed in ${shown}; export with dynamic_shapes so that it may be any size`);
  }
  const hiddenSize = shape[2]?.dim_value ?? 0;
  if (!Number.isSafeInteger(hiddenSize) || hiddenSize < 1 || hiddenSize > 1 << 24)
    throw fail(`input "${name}": expected a constant hidden size as the last dimension, got ${shown}`);
  return hiddenSize;
}

const namesOf = (ports: readonly ValueInfoProto[]): string =>
  ports
    .slice(0, 8)
    .map(({ name }) => name.slice(0, 100))
    .join(', ');

/**
 * The backbone under one adapter kind, with the inputs and outputs of every backbone. Inputs:
 * `hiddenStates` [B,S,d], `softPrompt` [P,d], `positions` int64 [N]. Output: `output` [N,d]. The
 * vjp takes `cotangent` [N,d]. The graph has no rows shared by a batch, so a soft prompt's P rows
 * are computed for every sequence. The rows of sequence 0 are used for all; the cotangent is the
 * sum over sequences. A prefix needs inputs for keys and values, which an imported graph does not
 * have.
 * @throws CutlayerError INVALID_ONNX, UNSUPPORTED_OP, NOT_DIFFERENTIABLE, naming the node
 */
export function compileOnnxBackbone(model: OnnxModel, ports: BackbonePorts, kind: Exclude<SpanKind, 'prefix'>): Partition {
  const g = new GraphBuilder();
  const { B, S, P, N } = dims;
  const d = ports.hiddenSize;
  const hiddenStates = g.input('hiddenStates', 'float32', [B, S, d]);
  const softPrompt = kind === 'softPrompt' ? g.input('softPrompt', 'float32', [P, d]) : undefined;
  const positions = g.input('positions', 'int64', [N]);
  const sequence = softPrompt === undefined ? S : addDims(P, S);
  const fed = softPrompt === undefined ? hiddenStates : g.concat([g.expand(softPrompt, [B, P, d]), hiddenStates], 1);
  const mapped = applyModel(g, model, new Map([[ports.input, fed]])).get(ports.output)!;
  requireOutput(mapped, [B, sequence, d], model, ports);
  const output = g.gather(flatRows(g, mapped, softPrompt !== undefined), positions);
  return partitionStep(g, output, { hiddenStates, softPrompt });
}

function requireOutput(mapped: Value, wanted: Shape, { path }: OnnxModel, { output }: BackbonePorts): void {
  if (mapped.dtype !== 'float32' || !shapesEqual(mapped.shape, wanted)) {
    const got = `${mapped.dtype} ${shapeText(mapped.shape)}`;
    throw new CutlayerError(
      'INVALID_ONNX',
      `${path}: output "${output}": expected float32 ${shapeText(wanted)} like the input, got ${got}`,
    );
  }
}

/** [B, P + S, d] as rows: sequence 0's P rows, then token s of sequence b at P + b * S + s. */
function flatRows(g: GraphBuilder, hidden: Value, hasPrompt: boolean): Value {
  const { B, S, P } = dims;
  const d = hidden.shape[2]!;
  if (!hasPrompt) return g.reshape(hidden, [multiplyDims(B, S), d]);
  const [prompt, text] = g.split(hidden, [P, S], 1) as [Value, Value];
  const first = g.reshape(g.slice(prompt, 0, 0, 1), [P, d]);
  return g.concat([first, g.reshape(text, [multiplyDims(B, S), d])], 0); // [P + B * S, d]
}
