/** The file of `--protection`: YAML with the policy of all tenants, and of single ones. */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import { kebab } from '../../options/option.js';
import { lineInYaml, parseYaml } from '../../options/yaml-text.js';
import { type Policies, type Policy, type PolicyName, policyNames } from './policy.js';

const MAX_BYTES = 1 << 20;
const MAX_TENANTS = 10_000;

const count = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);
const norm = z.number().min(0).max(1e30);

/** The bounds of each policy's own bound; null or `off` is no bound. */
const boundSchemas: Readonly<Record<PolicyName, z.ZodType<number>>> = {
  backwardsPerForward: count,
  directionsPerStep: count,
  minTokens: count,
  directionsPerInput: count,
  nearInputs: count,
  minRowNorm: norm,
  maxRowNorm: norm,
  maxPromptNorm: norm,
  rowsPerDay: z
    .int()
    .min(1)
    .max(2 ** 53 - 1),
};

const names = new Map([...policyNames, 'alarmAt' as const].map((name) => [kebab(name), name]));

/**
 * Reads a file. What it does not name stays as `standard`, and of a tenant as its `default`.
 * @throws CutlayerError NOT_FOUND, INVALID_CONFIG naming line, key and what is expected
 */
export async function readPolicies(file: string, standard: Policy): Promise<Policies> {
  let text: string;
  try {
    if ((await stat(file)).size > MAX_BYTES) throw invalid(file, `expected at most ${MAX_BYTES} bytes`);
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof CutlayerError) throw cause;
    throw new CutlayerError('NOT_FOUND', `${file}: no such file of protection policies, or it cannot be read`, { cause });
  }
  return parsePolicies(text, file, standard);
}

/** The policies of a file's text. @throws CutlayerError INVALID_CONFIG */
export function parsePolicies(text: string, file: string, base: Policy): Policies {
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
  const standard = policyFrom(given ?? {}, base, at, ['default']);
  const byTenant = Object.entries(record(tenants ?? {}, at, ['tenants']));
  if (byTenant.length > MAX_TENANTS) throw invalid(at('tenants'), `tenants: expected at most ${MAX_TENANTS}, got ${byTenant.length}`);
  return {
    standard,
    tenants: new Map(byTenant.map(([tenant, own]) => [tenant, policyFrom(own ?? {}, standard, at, ['tenants', tenant])])),
  };
}

/** Where a path of keys is, as `policies.yaml:3`. */
type Place = (...path: readonly string[]) => string;

function policyFrom(given: unknown, base: Policy, at: Place, path: readonly string[]): Policy {
  const where = path.join('.');
  const own: Partial<Record<keyof Policy, number | undefined>> = {};
  for (const [key, value] of Object.entries(record(given, at, path))) {
    const name = names.get(kebab(key));
    if (name === undefined)
      throw invalid(at(...path, key), `${where}: expected ${[...names.keys()].join(', ')}; got ${JSON.stringify(key).slice(0, 80)}`);
    if (name !== 'alarmAt' && (value === null || value === 'off' || value === false)) {
      own[name] = undefined;
      continue;
    }
    const schema = name === 'alarmAt' ? z.number().gt(0).max(1) : boundSchemas[name];
    const read = schema.safeParse(value);
    if (!read.success)
      throw invalid(
        at(...path, key),
        `${where}.${kebab(key)}: ${read.error.issues[0]!.message}, got ${JSON.stringify(value)?.slice(0, 80)}`,
      );
    own[name] = read.data;
  }
  const policy = { ...base, ...own } as Policy; // alarmAt is never undefined in own
  const { minRowNorm, maxRowNorm } = policy;
  if (minRowNorm !== undefined && maxRowNorm !== undefined && minRowNorm > maxRowNorm)
    throw invalid(at(...path), `${where}: expected min-row-norm up to max-row-norm ${maxRowNorm}, got ${minRowNorm}`);
  return policy;
}

function record(value: unknown, at: Place, path: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>; // as just checked
  throw invalid(at(...path), `${path.join('.')}: expected keys with values, as \`rows-per-day: 1000000\``);
}

const invalid = (where: string, message: string): CutlayerError => new CutlayerError('INVALID_CONFIG', `${where}: ${message}`);
