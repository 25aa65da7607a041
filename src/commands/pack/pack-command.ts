/** `cutlayer pack`: a Hugging Face checkpoint becomes a backbone and a client bundle. */
import { command } from '../../options/command-spec.js';
import { packOptions } from './pack-options.js';

/** The command; SIGINT cancels it and leaves nothing behind. */
export const packCommand = command({
  options: packOptions,
  help: `
Examples:
  $ cutlayer pack ./my-checkpoint --out ./packed
  $ cutlayer pack ./my-checkpoint --out ./packed --bottom 2 --top 1 --name my-model
  $ cutlayer pack ./my-checkpoint --out ./packed --sign signer.jwk
  $ cutlayer pack --onnx ./backbone.onnx --bundle-from ./my-checkpoint --final-norm backbone --out ./packed

A graph given with --onnx has one input, hidden states [batch, sequence, hidden size] with dynamic batch and sequence, and one output of the same
shape. It must be causal; that is tried on random inputs. torch.onnx.export of a transformers base model from inputs_embeds to last_hidden_state
is such a graph: positions, blocks and final norm are inside, so say --final-norm backbone. Such a backbone takes soft prompts, not prefixes.`,
  run: async (flags, { words }) => (await import('./run-pack.js')).runPack(words[0], flags),
});
