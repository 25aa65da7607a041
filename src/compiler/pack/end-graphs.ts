/** Writes the graphs of a client's ends: embedding, LM head, likelihoods, loss and classifier, and those of the methods. Every bundle has them. */
import type { ClientBundleManifest, GraphEntry, HeadVariants, MethodGraphName } from '../../artifacts/manifest.js';
import { compileEmbed } from '../graphs/client-graphs.js';
import {
  compileClassifier,
  compileClassifierLoss,
  compileHead,
  compileLikelihood,
  compileLoss,
  type HeadVariant,
  headVariantsOf,
} from '../graphs/head-graphs.js';
import { methodGraphs } from '../graphs/method-graphs.js';
import type { ModelDescription } from '../models/registry.js';
import type { Graph } from '../onnx/graph.js';
import type { GraphFiles } from './graph-files.js';

type BundleGraphs = ClientBundleManifest['graphs'];

/** Writes them and gives their entries. */
export async function writeEndGraphs(
  graphs: GraphFiles,
  model: ModelDescription,
  methods: readonly MethodGraphName[],
): Promise<Omit<BundleGraphs, 'bottom' | 'top'>> {
  const variants = async (name: string, compile: (model: ModelDescription, variant: HeadVariant) => Graph): Promise<HeadVariants> => {
    const entries: Partial<Record<HeadVariant, GraphEntry>> = {};
    for (const variant of headVariantsOf(model)) entries[variant] = await graphs.write(`${name}-${variant}.onnx`, compile(model, variant));
    return entries as HeadVariants; // every model has plain and lora
  };
  const ends: Omit<BundleGraphs, 'bottom' | 'top'> = {
    embed: await graphs.write('embed.onnx', compileEmbed(model)),
    head: await variants('head', compileHead),
    likelihood: await variants('likelihood', compileLikelihood),
    loss: await variants('loss', compileLoss),
    classifier: {
      forward: await graphs.write('classifier.onnx', compileClassifier(model)),
      loss: await graphs.write('classifier-loss.onnx', compileClassifierLoss(model)),
    },
    methods: {},
  };
  for (const name of methods) ends.methods[name] = await graphs.writePair(name, methodGraphs[name](model));
  return ends;
}
