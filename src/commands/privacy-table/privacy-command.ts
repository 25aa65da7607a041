/** `cutlayer client privacy` */
import { command } from '../../options/command-spec.js';
import { privacyTableOptions } from './privacy-options.js';

export const privacyCommand = command({
  options: privacyTableOptions,
  configFile: true,
  help: `
For each cut and each setting: trains an adapter under the setting's defences, measures the task on --test, and runs the attackers of
cutlayer client audit on what crosses. Each row gives what the best attacker got, the task, its loss, bytes and time of a step, all beside
the row without defences. Rows that no other one beats are marked. For each goal it says which setting meets it, or that none does.
A guarantee is printed only where there is one: with its unit, epsilon and delta. Figures are lower bounds: another attacker may recover more.

Without --setting a grid is measured: each defence alone, and some together. Settings are words as those of train's options:
  none    row-noise=1    "row-noise=2 redact=emails,phones"    "cut=2 row-noise=2 method=prompt-tuning+lora virtual-tokens=64"

Examples:
  A model that you have packed; the gateways run in this process:
    $ cutlayer client privacy --packed packed-k0 --packed packed-k1 --data train.jsonl --test test.jsonl --steps 200 --out table
  At a vendor that serves two cuts:
    $ cutlayer client privacy --bundle k0 --gateway vendor.example:443 --bundle k1 --gateway vendor.example:444 --token-file token \\
        --data train.jsonl --test test.jsonl --setting none --setting row-noise=1 --out table
  One more setting in that table, for 2 points of the task at most; what was measured stays:
    $ cutlayer client privacy --bundle k0 --gateway vendor.example:443 --bundle k1 --gateway vendor.example:444 --token-file token \\
        --data train.jsonl --test test.jsonl --setting row-noise=1 --setting label-noise=4 --max-loss-points 2 --out table
  The same command again, after ctrl-C or a crash, goes on where it was.

--out holds activations of your records: keep it as you keep the records, and delete it afterwards.

Writes report.html, report.txt and report.json; page and JSON hold the text of one of your records.`,
  run: async (flags) => (await import('./run-privacy.js')).runPrivacy(flags),
});
