/** Files of protection: policies that read back the same. */
import assert from 'node:assert/strict';
import type { OwnPolicy } from '../../../src/gateway/protection/bounds.js';
import type { FilePolicies } from '../../../src/gateway/protection/policies.js';
import { policyNames, standardPolicy } from '../../../src/gateway/protection/policy.js';
import { parsePolicies } from '../../../src/gateway/protection/policy-file.js';
import { kebab } from '../../../src/options/option.js';
import { editedJson } from '../json-edits.js';
import type { Target } from '../target.js';
import { yamlWords } from '../yaml-words.js';

const documents = [
  { default: { 'rows-per-day': 1000000, 'min-row-norm': 0.1, 'max-row-norm': 10, 'alarm-at': 0.5 } },
  { default: { 'near-inputs': 'off', 'min-tokens': null }, tenants: { acme: { 'rows-per-day': 50 }, bolt: {} } },
];
const base = { standard: standardPolicy(64), embedding: {} };
const written = (own: OwnPolicy) => Object.fromEntries(Object.entries(own).map(([name, bound]) => [kebab(name), bound]));
/** All that is named, in full. */
const textOf = ({ standard, tenants }: FilePolicies): string =>
  JSON.stringify({
    default: written(standard),
    tenants: Object.fromEntries([...tenants].map(([tenant, policy]) => [tenant, written(policy)])),
  });

export const target: Target = {
  examples: documents.map((document) => Buffer.from(JSON.stringify(document))),
  made: editedJson(documents),
  words: [...yamlWords, 'default:', 'tenants:', ...policyNames.map((name) => `${kebab(name)}: `), 'off', '.nan', '-1'],
  run(input) {
    const text = textOf(parsePolicies(Buffer.from(input).toString(), 'policies', base));
    assert.equal(textOf(parsePolicies(text, 'again', base)), text);
  },
};
