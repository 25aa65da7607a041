/** Files of options of gateway, coordinator and training: YAML. */
import assert from 'node:assert/strict';
import { trainOptions } from '../../../clients/typescript/cli/train/train-options-table.js';
import { coordinatorOptions } from '../../../src/coordinator/config.js';
import { gatewayOptions } from '../../../src/gateway/config.js';
import { readConfigFile } from '../../../src/options/config-file.js';
import { configText } from '../../../src/options/config-text.js';
import type { OptionTable } from '../../../src/options/option.js';
import { editedJson } from '../json-edits.js';
import { scratchFile } from '../scratch-files.js';
import type { Target } from '../target.js';
import { yamlWords } from '../yaml-words.js';

const documents = [
  { backbone: 'packed/backbone', port: 50051, 'max-batch': 8, 'tls-names': ['a.example', 'b.example'], insecure: true },
  { 'state-dir': './state', port: 7443, 'log-level': 'debug' },
  { method: 'lora', lr: 0.01, steps: 100, targets: ['q_proj', 'v_proj'], 'weight-decay': 0.1, seed: 3 },
];
const tables: readonly OptionTable[] = [gatewayOptions, coordinatorOptions, trainOptions];

export const target: Target = {
  made: editedJson(documents),
  words: [...yamlWords, ...tables.flatMap((table) => Object.keys(table)).map((key) => `${key}: `)],
  async run(input) {
    const file = scratchFile('options.yaml', input);
    let refusal: unknown;
    for (const table of tables) {
      try {
        const values = await readConfigFile(file, table);
        const kept = Object.fromEntries(Object.entries(values).filter(([name]) => table[name]?.transient !== true));
        const again = await readConfigFile(scratchFile('again.yaml', configText(table, kept, ['again'])), table);
        assert.deepEqual(again, withoutNothing(kept));
        return;
      } catch (caught) {
        refusal = caught;
        if (!isOtherTable(caught)) throw caught;
      }
    }
    throw refusal;
  },
};

/** Options that were not given, or are empty lists, are not written. */
function withoutNothing(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  );
}

const isOtherTable = (caught: unknown): boolean => caught instanceof Error && caught.message.includes('there is no option');
