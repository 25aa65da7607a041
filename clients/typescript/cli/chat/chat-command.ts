/** `cutlayer client chat` */
import { command } from '../../../../src/options/command-spec.js';
import { runFile } from '../run-file.js';
import { chatOptions } from './chat-options.js';

export const chatCommand = command({
  options: chatOptions,
  configFile: runFile({ seed: null }),
  help: `
Messages go through the checkpoint's chat template. The conversation stays in this process.
Each answer streams to standard output. Ctrl-C stops an answer; ctrl-D or /exit ends the conversation.
/reset begins anew, /system TEXT sets the system message and begins anew, /retry asks for another answer,
/save FILE writes the messages as JSON for "generate --messages", /help lists these.

Examples:
  $ cutlayer client chat --bundle model/client-bundle --gateway vendor.example:443 --token-file token --adapter run1
  $ cutlayer client chat --config run1/config.yaml --adapter run1 --system "Answer in one word."`,
  run: async (flags) => (await import('./run-chat.js')).runChat(flags),
});
