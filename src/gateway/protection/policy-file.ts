/** The file of `--protection`: YAML with the policy of all tenants, and of single ones. */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import { kebab } from '../../options/option.js';
import { parseYaml } from '../../options/yaml-text.js';
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
 * @throws CutlayerError NOT_FOUND, INVALID_CONFIG naming the line's key and what is expected
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
  const { default: given, tenants = {}, ...others } = record(content ?? {}, file, 'the file');
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw invalid(file, `expected default or tenants, got ${JSON.stringify(unknown).slice(0, 80)}`);
  const standard = policyFrom(given ?? {}, base, file, 'default');
  const byTenant = Object.entries(record(tenants ?? {}, file, 'tenants'));
  if (byTenant.length > MAX_TENANTS) throw invalid(file, `tenants: expected at most ${MAX_TENANTS}, got ${byTenant.length}`);
  return {
    standard,
    tenants: new Map(byTenant.map(([tenant, own]) => [tenant, policyFrom(own ?? {}, standard, file, `tenants.${tenant}`)])),
  };
}

function policyFrom(given: unknown, base: Policy, file: string, where: string): Policy {
  const own: Partial<Record<keyof Policy, number | undefined>> = {};
  for (const [key, value] of Object.entries(record(given, file, where))) {
    const name = names.get(kebab(key));
    if (name === undefined)
      throw invalid(file, `${where}: expected ${[...names.keys()].join(', ')}; got ${JSON.stringify(key).slice(0, 80)}`);
    if (name !== 'alarmAt' && (value === null || value === 'off' || value === false)) {
      own[name] = undefined;
      continue;
    }
    const schema = name === 'alarmAt' ? z.number().gt(0).max(1) : boundSchemas[name];
    const read = schema.safeParse(value);
    if (!read.success)
      throw invalid(file, `${where}.${kebab(key)}: ${read.error.issues[0]!.message}, got ${JSON.stringify(value)?.slice(0, 80)}`);
    own[name] = read.data;
  }
  const policy = { ...base, ...own } as Policy; // alarmAt is never undefined in own
  const { minRowNorm, maxRowNorm } = policy;
  if (minRowNorm !== undefined && maxRowNorm !== undefined && minRowNorm > maxRowNorm)
    throw invalid(file, `${where}: expected min-row-norm up to max-row-norm ${maxRowNorm}, got ${minRowNorm}`);
  return policy;
}

function record(value: unknown, file: string, where: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>; // as just checked
  throw invalid(file, `${where}: expected keys with values, as \`rows-per-day: 1000000\``);
}

const invalid = (file: string, message: string): CutlayerError => new CutlayerError('INVALID_CONFIG', `${file}: ${message}`);
