/** Which graphs a client bundle holds, and under which file names. */
import {
  type ClientBundleManifest,
  type ClientSpanGraphs,
  type Cut,
  type HeadVariants,
  type MethodGraphName,
  methodGraphNames,
} from '../../artifacts/manifest.js';
import { compileBottom, compileEmbed, compileTop, hasBottom } from '../graphs/client-graphs.js';
import {
  compileClassifier,
  compileClassifierLoss,
  compileHead,
  compileLikelihood,
  compileLoss,
  type HeadVariant,
  headVariantsOf,
} from '../graphs/head-graphs.js';
import { compileKeyValues } from '../graphs/key-value-graphs.js';
import { methodGraphs } from '../graphs/method-graphs.js';
import type { ModelDescription } from '../models/registry.js';
import type { Graph } from '../onnx/graph.js';
import { writeClientDecode } from './decode-files.js';
import type { GraphFiles } from './graph-files.js';

type BundleGraphs = ClientBundleManifest['graphs'];

/** Writes the graphs of every bundle (its ends and some methods) and gives their entries. */
export function writeEndGraphs(files: GraphFiles, model: ModelDescription, methods: readonly MethodGraphName[]): BundleGraphs {
  const variants = (name: string, compile: (model: ModelDescription, variant: HeadVariant) => Graph): HeadVariants => {
    const entries = headVariantsOf(model).map((variant) => [variant, files.write(`${name}-${variant}.onnx`, compile(model, variant))]);
    return Object.fromEntries(entries) as HeadVariants; // every model has plain and lora
  };
  return {
    embed: files.write('embed.onnx', compileEmbed(model)),
    head: variants('head', compileHead),
    likelihood: variants('likelihood', compileLikelihood),
    loss: variants('loss', compileLoss),
    classifier: {
      forward: files.write('classifier.onnx', compileClassifier(model)),
      loss: files.write('classifier-loss.onnx', compileClassifierLoss(model)),
    },
    methods: Object.fromEntries(methods.map((name) => [name, files.writePair(name, methodGraphs[name](model))])),
  };
}

/** Writes every graph of a model that is cut: its ends and the client's blocks. */
export function writeClientGraphs(files: GraphFiles, model: ModelDescription, cut: Cut): BundleGraphs {
  const span = (name: string, hasBlocks: boolean, compile: typeof compileTop): ClientSpanGraphs => ({
    ...files.writeSpans(name, (kind) => compile(model, cut, kind)),
    ...(hasBlocks && { trained: files.writeSpans(`${name}-trained`, (kind) => compile(model, cut, kind, 'inputs')) }),
  });
  const keyValues = (part: 'bottom' | 'top') =>
    cut[part] > 0 && { [part]: files.write(`${part}-key-values.onnx`, compileKeyValues(model, cut, part)) };
  return {
    ...writeEndGraphs(files, model, methodGraphNames),
    ...(hasBottom(model, cut) && { bottom: span('bottom', cut.bottom > 0, compileBottom) }),
    ...(cut.top > 0 && { top: span('top', true, compileTop) }),
    keyValues: { ...keyValues('bottom'), ...keyValues('top') },
    ...(cut.bottom + cut.top > 0 && { decode: writeClientDecode(files, model, cut) }),
  };
}
