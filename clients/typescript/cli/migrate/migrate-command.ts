/** `cutlayer client migrate` */
import { command } from '../../../../src/options/command-spec.js';
import { migrateOptions } from './migrate-options.js';

export const migrateCommand = command({
  options: migrateOptions,
  help: `
When the vendor's model changes, an adapter of the old one does not fit it. This trains an adapter for the new model with the same settings (config.yaml of the
directory) on the same data, and reports the old score beside the new one. What the new bundle cannot do is refused by name, before any step.

Examples:
  Of a run of train; its data files must still be there:
    $ cutlayer client migrate --run run1 --out run2 --bundle new/client-bundle --gateway vendor.example:443 --token-file token
  Of improve, which has its examples itself; a first version is trained on all of them:
    $ cutlayer client migrate --run tickets --out tickets2 --profile acme-new
    $ cutlayer client improve --config tickets2/config.yaml`,
  run: async (flags) => (await import('./run-migrate.js')).runMigrate(flags),
});
