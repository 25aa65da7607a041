/** The file of `--protection`: YAML with the policy of all tenants, and of single ones. */
import { readFile, stat } from 'node:fs/promises';
import { CutlayerError } from '../../errors.js';
import { kebab } from '../../options/option.js';
import { lineInYaml, parseYaml } from '../../options/yaml-text.js';
import { type OwnPolicy, ownPolicyNames, readBound } from './bounds.js';
import { type FilePolicies, type PolicyParts, policyAfter, unsound } from './policies.js';
import type { Policy } from './policy.js';

const MAX_BYTES = 1 << 20;
const MAX_TENANTS = 10_000;

/** What holds without a file. */
export type PolicyBase = Pick<PolicyParts, 'standard' | 'embedding'>;

const names = new Map(ownPolicyNames.map((name) => [kebab(name), name]));

/**
 * Reads a file. What it does not name stays as it is without a file, and of a tenant as its
 * `default`.
 * @param base what holds without a file: each section is checked with it
 * @throws CutlayerError NOT_FOUND, INVALID_CONFIG naming line, key and what is expected
 */
export async function readPolicies(file: string, base: PolicyBase): Promise<FilePolicies> {
  let text: string;
  try {
    if ((await stat(file)).size > MAX_BYTES) throw invalid(file, `expected at most ${MAX_BYTES} bytes`);
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof CutlayerError) throw cause;
    throw new CutlayerError('NOT_FOUND', `${file}: no such file of protection policies, or it cannot be read`, { cause });
  }
  return parsePolicies(text, file, base);
}

/** What a file's text names. @throws CutlayerError INVALID_CONFIG */
export function parsePolicies(text: string, file: string, { standard: without, embedding }: PolicyBase): FilePolicies {
  let content: unknown;
  try {
    content = parseYaml(text);
  } catch (cause) {
    throw invalid(file, cause instanceof Error ? cause.message : 'expected YAML');
  }
  const at: Place = (...path) => {
    const line = lineInYaml(text, path);
    return line === undefined ? file : `${file}:${line}`;
  };
  const { default: given, tenants = {}, ...others } = record(content ?? {}, at, ['the file']);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw invalid(at(unknown), `expected default or tenants, got ${JSON.stringify(unknown).slice(0, 80)}`);
  const standard = named(given ?? {}, [without, embedding], at, ['default']);
  const byTenant = Object.entries(record(tenants ?? {}, at, ['tenants']));
  if (byTenant.length > MAX_TENANTS) throw invalid(at('tenants'), `tenants: expected at most ${MAX_TENANTS}, got ${byTenant.length}`);
  return {
    standard,
    tenants: new Map(byTenant.map(([tenant, own]) => [tenant, named(own ?? {}, [without, embedding, standard], at, ['tenants', tenant])])),
  };
}

/** Where a path of keys is, as `policies.yaml:3`. */
type Place = (...path: readonly string[]) => string;

/** @param base a policy, and what other sections name before this one */
function named(given: unknown, [base, ...before]: readonly [Policy, ...OwnPolicy[]], at: Place, path: readonly string[]): OwnPolicy {
  const where = path.join('.');
  const own: Record<string, number | 'off'> = {};
  for (const [key, value] of Object.entries(record(given, at, path))) {
    const name = names.get(kebab(key));
    if (name === undefined)
      throw invalid(at(...path, key), `${where}: expected ${[...names.keys()].join(', ')}; got ${JSON.stringify(key).slice(0, 80)}`);
    const read = readBound(name, value === null || value === false ? 'off' : value);
    if ('wrong' in read)
      throw invalid(at(...path, key), `${where}.${kebab(key)}: ${read.wrong}, got ${JSON.stringify(value)?.slice(0, 80)}`);
    own[name] = read.bound;
  }
  const wrong = unsound(policyAfter(base, [...before, own]));
  if (wrong !== undefined) throw invalid(at(...path), `${where}: expected min-row-norm ${wrong}`);
  return own;
}

function record(value: unknown, at: Place, path: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>; // as just checked
  throw invalid(at(...path), `${path.join('.')}: expected keys with values, as \`rows-per-day: 1000000\``);
}

const invalid = (where: string, message: string): CutlayerError => new CutlayerError('INVALID_CONFIG', `${where}: ${message}`);
