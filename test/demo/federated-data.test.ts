/** The rows of the federated demo: what its claims rest on. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { siteNames } from '../../demo/federated/settings.js';
import { packageRoot } from '../../src/files/package-root.js';

interface Row {
  readonly prompt: string;
  readonly completion: string;
}

function rows(name: string): readonly Row[] {
  const text = readFileSync(join(packageRoot(), 'demo', 'federated', 'data', `${name}.jsonl`), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
}

const kindOf = ({ prompt }: Row): string => /\n(Tags|Reply|Summary):$/.exec(prompt)![1]!;
const splits = ['train', 'validation', 'test'] as const;
const answers = {
  Tags: /^ (?:green|amber|red) \/ .+ \/ (?:PLB|ELC|HTG|CLN)$/,
  Reply: /^ .+, .+: (?:water|power|climate|tidy) crew, (?:next week|within two days|right away)\.$/,
  Summary: /^ .+: .+$/,
} as const;

describe('data of the federated demo', () => {
  const files = ['test', ...siteNames.flatMap((site) => splits.map((split) => `${site}-${split}`))];

  it('has no note in two files', () => {
    const notes = files.flatMap((file) => rows(file).map(({ prompt }) => prompt.slice(0, prompt.lastIndexOf('\n'))));
    assert.equal(notes.length, 210 + 4 * 120);
    assert.equal(new Set(notes).size, notes.length);
  });

  it('gives each site one kind of work, and the common test each kind equally often', () => {
    const kinds = (file: string): Record<string, number> => {
      const counts: Record<string, number> = {};
      for (const row of rows(file)) counts[kindOf(row)] = (counts[kindOf(row)] ?? 0) + 1;
      return counts;
    };
    const own = { north: 'Tags', south: 'Tags', river: 'Reply', mill: 'Summary' } as const;
    for (const site of siteNames) for (const split of splits) assert.deepEqual(Object.keys(kinds(`${site}-${split}`)), [own[site]]);
    assert.deepEqual(kinds('test'), { Tags: 70, Reply: 70, Summary: 70 });
  });

  it('answers in one house style, which no row spells out', () => {
    for (const file of files) {
      for (const row of rows(file)) {
        assert.match(row.completion, answers[kindOf(row) as keyof typeof answers]);
        assert.doesNotMatch(row.prompt, /profile|topics|urgency|order|slash|terse/i);
      }
    }
  });
});
