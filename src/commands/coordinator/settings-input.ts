/**
 * A federation's settings as its founder gives them: a YAML file, then single settings of the
 * command line. Keys are those of the manifest's settings, in camelCase or with dashes; an unknown
 * one is refused together with the nearest that is known.
 */
import type { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import { readYaml } from '../../options/config-file.js';
import { nearest } from '../../options/nearest.js';
import { parseYaml } from '../../options/yaml-text.js';
import { type FederationSettings, federationSettingsSchema } from '../../protocol/federation/settings.js';
import { knownKeys, knownValues } from './known-keys.js';

/** Where settings come from. */
export interface SettingsSources {
  /** A YAML file. */
  readonly file?: string | undefined;
  /** `path.to.setting=value`, the value as in YAML. Later ones win. */
  readonly single: readonly string[];
}

/** Settings, and which of them the founder has given. */
export interface GivenSettings {
  readonly settings: FederationSettings;
  /** Whether a setting was given, rather than left to its default. */
  isGiven(...path: readonly string[]): boolean;
}

type Tree = { [key: string]: unknown };

/** Reads and checks settings. @throws CutlayerError NOT_FOUND, INVALID_OPTION naming the place */
export async function readSettings({ file, single }: SettingsSources): Promise<GivenSettings> {
  const tree: Tree =
    file === undefined
      ? {}
      : camelKeys(await readYaml(file, 'no such file of settings', 'expected settings by name, as `name: ward notes`'));
  const flags = new Set<string>();
  for (const text of single) flags.add(setSingle(tree, text));
  const parsed = federationSettingsSchema.safeParse(tree);
  if (!parsed.success) throw explain(parsed.error, tree, file, flags);
  return {
    settings: parsed.data,
    isGiven: (...path) => path.reduce<unknown>((node, key) => (isTree(node) ? node[key] : undefined), tree) !== undefined,
  };
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

const camel = (key: string): string => key.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

function camelKeys(tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [camel(key), isTree(value) ? camelKeys(value) : value]));
}

/** Puts `cohort.min=3` into the tree. @returns the path. @throws CutlayerError INVALID_OPTION */
function setSingle(tree: Tree, text: string): string {
  const at = text.indexOf('=');
  const path = text.slice(0, at).trim().split('.').map(camel);
  if (at < 1 || path.some((key) => key === '' || key === '__proto__')) {
    throw invalid('--set', `expected path.to.setting=value, such as cohort.min=3, got ${text}`);
  }
  let value: unknown;
  try {
    value = parseYaml(text.slice(at + 1));
  } catch {
    throw invalid(`--set ${text}`, 'its value is not YAML');
  }
  let node = tree;
  for (const key of path.slice(0, -1)) {
    const next = node[key];
    // The replacement of a null or a missing part begins empty, with defaults for other settings.
    if (!isTree(next)) node[key] = {};
    node = node[key] as Tree;
  }
  node[path.at(-1)!] = isTree(value) ? camelKeys(value) : value;
  return path.join('.');
}

function explain(error: z.ZodError, tree: Tree, file: string | undefined, flags: ReadonlySet<string>): CutlayerError {
  // A misspelt setting may leave a required one missing: the misspelling is the cause.
  const issue = error.issues.find(({ code }) => code === 'unrecognized_keys') ?? error.issues[0]!;
  const place = issue.path.map(String).join('.');
  const where = (path: string): string =>
    [...flags].some((flag) => flag === path || path.startsWith(`${flag}.`)) || file === undefined ? `--set ${path}` : `${file}: ${path}`;
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const path = place === '' ? key : `${place}.${key}`;
    const known = knownKeys(federationSettingsSchema, issue.path);
    const near = nearest(key, known);
    return new CutlayerError(
      'INVALID_OPTION',
      `${where(path)}: there is no such setting; ${near === undefined ? `expected ${known.join(', ')}` : `did you mean ${near}?`}`,
    );
  }
  const path = place === '' ? 'settings' : place;
  const got = issue.path.reduce<unknown>((node, key) => (isTree(node) ? node[String(key)] : undefined), tree);
  if (path === 'name' && got === undefined) {
    return new CutlayerError('INVALID_OPTION', 'name: a federation needs one; pass --name NAME, or write it into the file of --config');
  }
  const wanted = issue.message.replace(/^Invalid (input|option): /, '').replace(/, received undefined$/, ', got none');
  const kinds = 'discriminator' in issue ? knownValues(federationSettingsSchema, issue.path) : [];
  const shown = got === undefined || isTree(got) ? '' : `, got ${JSON.stringify(got)?.slice(0, 60)}`;
  return new CutlayerError(
    'INVALID_OPTION',
    `${where(path)}: ${kinds.length > 0 ? `expected one of ${kinds.join(', ')}` : wanted}${shown}`,
  );
}

function invalid(what: string, message: string): CutlayerError {
  return new CutlayerError('INVALID_OPTION', `${what}: ${message}`);
}
