/** The name that a packed model gets if the caller gives none. */
import { basename, resolve } from 'node:path';
import type { ConfigJson } from '../models/config.js';

/** Names of directories that say nothing of the model in them. */
const SAYS_NOTHING =
  /^(\.|\.\.|[0-9a-f]{40}|(check-?points?|models?|out(put)?s?|final|merged|hf|latest|best|tmp|snapshots?)([-_]?\d+)?)?$/i;
/** A snapshot in the cache of huggingface_hub. */
const CACHED = /[/\\]models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\]/;

/**
 * The name in the config, else the directory's, else family and size.
 * @param parameters of both artifacts
 */
export function modelName(config: ConfigJson, dir: string, family: string, parameters: number): string {
  const stated = config._name_or_path ?? config.name_or_path;
  const path = resolve(dir);
  const [, owner, name] = CACHED.exec(`${path}/`) ?? [];
  const names = [
    typeof stated === 'string' ? published(stated) : undefined,
    owner !== undefined && name !== undefined ? `${owner}/${name}` : undefined,
    basename(path),
  ];
  const found = names.find((candidate) => candidate !== undefined && !SAYS_NOTHING.test(candidate));
  return (found ?? `${family}-${sizeText(parameters)}`).slice(0, 200);
}

/** `owner/name` as it is; of a path the last part. */
function published(stated: string): string {
  const plain = stated.replace(/[/\\]+$/, '');
  return /^[\w-]+\/[\w.-]+$/.test(plain) && !SAYS_NOTHING.test(basename(plain)) ? plain : basename(plain.replaceAll('\\', '/'));
}

/** For example 345M, 1.2B. */
function sizeText(parameters: number): string {
  const [divisor, unit] = parameters >= 1e9 ? [1e9, 'B'] : parameters >= 1e6 ? [1e6, 'M'] : [1e3, 'k'];
  const size = parameters / divisor;
  return `${size < 10 ? size.toFixed(1) : size.toFixed(0)}${unit}`;
}
