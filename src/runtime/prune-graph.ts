/**
 * Cuts a model down to some of its outputs. ONNX Runtime computes every output of a graph, fetched
 * or not.
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
import { type Field, fieldsOf, textOf } from './protobuf-fields.js';

/** Field numbers of the protocol buffers that are read. */
const MODEL = { graph: 7 } as const;
const GRAPH = { node: 1, initializer: 5, output: 12, valueInfo: 13 } as const;
const NODE = { input: 1, output: 2 } as const;
const TENSOR = { name: 8 } as const;
const VALUE_INFO = { name: 1 } as const;

/** Wire type of fields with a length. */
const LENGTH_DELIMITED = 2;

/**
 * The model with these outputs alone, without the nodes and weights that no other output needs. Its
 * inputs are the same.
 * @param graph the model's file, for messages
 * @throws CutlayerError INVALID_ARTIFACT
 */
export function pruneGraph(model: Uint8Array, graph: string, outputs: readonly string[]): Uint8Array {
  const parts = [...fieldsOf(model, graph)].map((part) =>
    part.field === MODEL.graph ? lengthDelimited(part.field, pruned(part.bytes, graph, outputs)) : part.whole,
  );
  return Buffer.concat(parts);
}

function pruned(bytes: Uint8Array, graph: string, outputs: readonly string[]): Uint8Array {
  const fields = [...fieldsOf(bytes, graph)];
  const needed = new Set(outputs);
  const kept = new Set<Field>();
  // Nodes come after those whose outputs they take.
  for (const part of fields.toReversed()) {
    if (part.field !== GRAPH.node) continue;
    if (!namesOf(part, NODE.output, graph).some((name) => needed.has(name))) continue;
    kept.add(part);
    for (const name of namesOf(part, NODE.input, graph)) needed.add(name);
  }
  const stays = (part: Field): boolean => {
    switch (part.field) {
      case GRAPH.node:
        return kept.has(part);
      case GRAPH.initializer:
        return namesOf(part, TENSOR.name, graph).some((name) => needed.has(name));
      case GRAPH.output:
        return namesOf(part, VALUE_INFO.name, graph).some((name) => outputs.includes(name));
      default:
        // Shapes of values are inferred again.
        return part.field !== GRAPH.valueInfo;
    }
  };
  return Buffer.concat(fields.filter(stays).map(({ whole }) => whole));
}

/** Texts in a message's fields of one number. */
function namesOf({ bytes }: Field, number: number, graph: string): readonly string[] {
  return [...fieldsOf(bytes, graph)].flatMap(({ field, bytes: text }) => (field === number ? textOf(text) : []));
}

function lengthDelimited(field: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([varint(field * 8 + LENGTH_DELIMITED), varint(bytes.length), bytes]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  return Uint8Array.from([...bytes, rest]);
}
