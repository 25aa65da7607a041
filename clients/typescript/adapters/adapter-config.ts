/** `adapter_config.json` of an adapter directory: what all methods share of it. Each method checks its own fields. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';

/** PEFT's name of the file. */
export const CONFIG_FILE = 'adapter_config.json';
/** PEFT's name of the tensors' file. */
export const WEIGHTS_FILE = 'adapter_model.safetensors';

const schema = z.looseObject({ peft_type: z.string(), task_type: z.string().nullish() });

/** The config, fields of the method included and not checked yet. */
export type AdapterConfig = z.infer<typeof schema>;

/** @throws CutlayerError NOT_FOUND, INVALID_ADAPTER */
export async function readAdapterConfig(dir: string): Promise<AdapterConfig> {
  const file = join(dir, CONFIG_FILE);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${dir}: no ${CONFIG_FILE} here; expected a directory with a PEFT adapter`, { cause });
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CutlayerError('INVALID_ADAPTER', `${file}: not JSON`, { cause });
  }
  return parseConfig(file, schema, json);
}

/** Checks a config's fields against a method's own schema. @param where For messages: the file or the directory. @throws CutlayerError INVALID_ADAPTER */
export function parseConfig<T>(where: string, fields: z.ZodType<T>, config: unknown): T {
  const parsed = fields.safeParse(config);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CutlayerError('INVALID_ADAPTER', `${where}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
}
