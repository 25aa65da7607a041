/** `cutlayer gateway inspect-policy`: flags and help. Work is imported when it runs. */
import { gatewayOptions } from '../../../gateway/config.js';
import { command } from '../../../options/command-spec.js';
import { choice, optional, text, withDefault } from '../../../options/option.js';

export const inspectPolicyCommand = command({
  options: {
    tenant: optional(text('name', 'this tenant alone, whether the file names it or not', 64)),
    backbone: optional({ ...gatewayOptions.backbone, text: 'directory of a packed backbone, whose size and embedding give bounds too' }),
    format: withDefault(choice('form', ['text', 'json'], 'form of what is printed'), 'text'),
  },
  help: `
Reads a file of gateway start --protection, and shows each bound with the place that names it. An error names its line.
Bounds of a tenant itself come before those of the file; cutlayer gateway tenant show has them. docs/protection.md says what each counts.

Examples:
  $ cutlayer gateway inspect-policy policies.yaml
  $ cutlayer gateway inspect-policy policies.yaml --backbone ./packed/backbone --tenant acme`,
  run: async (flags, { words }) => (await import('./run-inspect-policy.js')).runInspectPolicy(words[0]!, flags),
});
