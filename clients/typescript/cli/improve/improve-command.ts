/** `cutlayer client improve` */
import { command } from '../../../../src/options/command-spec.js';
import { improveOptions } from './improve-options.js';

export const improveCommand = command({
  options: improveOptions,
  configFile: true,
  help: `
Keeps improving one adapter: examples come in, a run trains on the new ones and on a share of earlier ones, from the promoted version. A gate compares the result
with the promoted version on held-out examples, by loss, exact match and what it forgot, each with an interval of 95 %. It promotes the result or keeps what was
there, and says why. The promoted version is always DIR/adapter, so: cutlayer client serve --adapter NAME=DIR/adapter.

Examples:
  Improve by itself; programs on this machine hand examples and feedback in at port 8790:
    $ cutlayer client improve --dir tickets --data new-tickets --every 6h --min-new 50 --examples-port 8790 \\
        --bundle model/client-bundle --gateway vendor.example:443 --token-file token --method lora
    $ curl http://127.0.0.1:8790/v1/feedback -H "Authorization: Bearer $(cat tickets/examples-token)" -H "Content-Type: application/json" \\
        -d '{"prompt": "…", "completion": "…", "verdict": {"corrected": "…"}}'

  Once a night, by cron; the settings are those of the first start:
    $ cutlayer client improve --config tickets/config.yaml --once

  Look at the versions, and go back to one:
    $ cutlayer client versions tickets
    $ cutlayer client improve --dir tickets --rollback 3

A verdict is "accepted", {"corrected": text} or {"rating": 1 to 5}. docs/improvement.md has the rest.`,
  run: async (flags) => (await import('./run-improve.js')).runImprove(flags),
});
