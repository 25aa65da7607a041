/** `cutlayer client generate` */
import { command } from '../../../../src/options/command-spec.js';
import { runFile } from '../run-file.js';
import { generateOptions } from './generate-options.js';

export const generateCommand = command({
  options: generateOptions,
  configFile: runFile({ seed: null, out: null, batch: null }),
  help: `
The text streams to standard output. The gateway keeps keys and values where it can decode; else each token runs the whole sequence.
Messages go through the checkpoint's chat template, with its generation prompt, as records of messages did in training.

Examples:
  $ cutlayer client generate --bundle model/client-bundle --gateway vendor.example:443 --token-file token \\
      --adapter run1/adapter --prompt "Ticket: printer is on fire"
  $ cutlayer client generate … --chat --system "Answer in one word." --prompt "Which part failed?"
  $ cutlayer client generate --config run1/config.yaml --adapter run1 --prompt "Ticket: printer is on fire"
  $ cutlayer client generate … --messages conversation.json
  $ cutlayer client generate … --prompts tickets.jsonl --out answers.jsonl
  $ cutlayer client generate … --prompt "Ticket: printer is on fire" --json-schema ticket.schema.json
  $ cutlayer client generate … --prompt "Ticket: printer is on fire" --num-beams 4 --num-return-sequences 2
  $ cutlayer client generate … --temperature 0.8 --top-p 0.95 --seed 7 < prompt.txt`,
  run: async (flags) => (await import('./run-generate.js')).runGenerate(flags),
});
