/** `cutlayer client audit` */
import { command } from '../../../../src/options/command-spec.js';
import { auditOptions } from './audit-options.js';

export const auditCommand = command({
  options: auditOptions,
  help: `
Measures what an adversarial vendor could infer of your own records. Each record is sent once, as a step of training sends it, and what
the vendor sees is kept in --out. Then a fixed suite of attackers works on that: they know the weights, the cut, the wire type and the defences.
  A0  nearest row of the embedding table (k = 0)        needs what is sent
  A1  prefix search through the held blocks (k >= 1)    needs what is sent
  A2  inverter that is learned from other texts         needs what is sent
  A3  labels from cotangents, with a known head         needs a gateway
  A3u which labels are the same, with an unknown head   needs a gateway
  A4  search by rows, texts and cotangents together     needs what is sent
  A5  sizes and lengths, and times with a gateway       needs what is sent
  A6  which records have trained the adapter            needs a gateway, --adapter and --non-members
  A7  the soft prompt's nearest tokens (k = 0)          needs what is sent
  A7s which records are in a sum of three updates       needs a gateway and a soft prompt
  A8  the vendor's head on the rows that it returns     needs a gateway

For each figure: the result, the interval that 95 % of bootstrap draws over records are in, and what a guess without the trace gets.
Figures are lower bounds: another attacker may recover more. They hold for these records, this model and these settings.
--out holds activations of your records: keep it as you keep the records, and delete it afterwards.

Examples:
  Without a gateway: nothing is sent, no token is needed:
    $ cutlayer client audit --offline --bundle model/client-bundle --data train.jsonl --out audit1
  With one, and the adapter that you train:
    $ cutlayer client audit --bundle model/client-bundle --gateway vendor.example:443 --token-file token \\
        --data train.jsonl --adapter run1 --out audit2
  What noise would hide: the search for exact rows fails, and attackers that learn do not:
    $ cutlayer client audit --offline --bundle model/client-bundle --data train.jsonl --row-noise 1 --only A0,A1,A2,A4 --out audit3
  Whether your records can be told to have trained the adapter:
    $ cutlayer client audit --bundle model/client-bundle --gateway vendor.example:443 --token-file token \\
        --data train.jsonl --adapter run1 --non-members other.jsonl --only A6 --out audit4
  An adapter that was trained with --label-noise 4, by the same draw of labels:
    $ cutlayer client audit --bundle model/client-bundle --gateway vendor.example:443 --token-file token \\
        --data train.jsonl --adapter run1 --label-noise 4 --defence-secret-file run1/defence-secret --out audit5
  The same command again, after ctrl-C or a crash, goes on where it was.

Writes report.json and report.txt.`,
  run: async (flags) => (await import('./run-audit.js')).runAudit(flags),
});
