/** A founder's settings: YAML, and single settings of the command line behind it. */
import assert from 'node:assert/strict';
import { readSettings } from '../../../src/commands/coordinator/settings-input.js';
import { canonicalJson } from '../../../src/protocol/federation/canonical-json.js';
import { settingsExamples } from '../federation-values.js';
import { editedJson } from '../json-edits.js';
import { scratchFile } from '../scratch-files.js';
import type { Target } from '../target.js';
import { yamlWords } from '../yaml-words.js';

const documents = settingsExamples.map((settings) => ({ name: 'ward notes', ...settings }));
/** Text behind this line is a setting of the command line. */
const SINGLE = '\n--set ';

export const target: Target = {
  examples: [Buffer.from(`name: ward notes${SINGLE}cohort.min=4${SINGLE}training.schedule=constant`)],
  made: editedJson(documents),
  words: [...yamlWords, SINGLE, 'cohort.min=', 'cohort.sampling.kind=poisson', '__proto__.x=1', 'adapter.settings.constructor='],
  async run(input) {
    const [file = '', ...single] = Buffer.from(input).toString().split(SINGLE);
    const { settings } = await readSettings({ file: scratchFile('settings.yaml', file), single });
    // The manifest's own writing, which refuses what JSON cannot say, such as an infinity.
    const text = canonicalJson(settings);
    const again = await readSettings({ file: scratchFile('again.yaml', text), single: [] });
    assert.equal(canonicalJson(again.settings), text);
  },
};
