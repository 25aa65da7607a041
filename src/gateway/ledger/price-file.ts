/** Reads the vendor's file of prices (`--prices`): YAML, by model. */
import { readFile } from 'node:fs/promises';
import { CutlayerError } from '../../errors.js';
import { parseYaml } from '../../options/yaml-text.js';
import { isCurrency, isPrice, type PriceList, type Prices, pricedNames } from '../../protocol/metering/prices.js';

/** The prices of a vendor. */
export interface PriceBook {
  readonly currency: string;
  /** Prices of a model, by its digest, then its name, then those of all models. */
  of(model: string, modelName: string): PriceList;
}

/** Most models of a file. */
const MAX_MODELS = 1000;

/**
 * @throws CutlayerError NOT_FOUND, INVALID_CONFIG saying what is wrong
 */
export async function readPrices(file: string): Promise<PriceBook> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `--prices ${file}: it cannot be read`, { cause });
  });
  return parsePrices(text, `--prices ${file}`);
}

/** @param what Named in errors. @throws CutlayerError INVALID_CONFIG */
export function parsePrices(text: string, what: string): PriceBook {
  const root = fieldsOf(yamlOf(text, what), ['currency', 'models'], what);
  const { currency } = root;
  if (typeof currency !== 'string' || !isCurrency(currency)) throw wrong(`${what}: currency: expected three letters such as EUR`);
  const models = fieldsOf(root.models, undefined, `${what}: models`);
  const entries = Object.entries(models);
  if (entries.length > MAX_MODELS) throw wrong(`${what}: models: expected at most ${MAX_MODELS}, got ${entries.length}`);
  const byModel = new Map(entries.map(([model, prices]) => [model, pricesOf(prices, `${what}: models.${model}`)]));
  const rest = byModel.get('*') ?? pricesOf({}, what);
  return { currency, of: (model, modelName) => ({ currency, ...(byModel.get(model) ?? byModel.get(modelName) ?? rest) }) };
}

function yamlOf(text: string, what: string): unknown {
  try {
    return parseYaml(text);
  } catch (cause) {
    throw new CutlayerError('INVALID_CONFIG', `${what}: expected YAML: ${(cause as SyntaxError).message}`, { cause });
  }
}

/** Prices that are not given are 0: such work costs nothing. */
function pricesOf(value: unknown, what: string): Prices {
  const fields = fieldsOf(value, pricedNames, what);
  const prices = pricedNames.map((name) => {
    const price = String(fields[name] ?? 0);
    if (!isPrice(price)) throw wrong(`${what}.${name}: expected a decimal with at most six places, got ${price.slice(0, 40)}`);
    return [name, price] as const;
  });
  return Object.fromEntries(prices) as Record<(typeof pricedNames)[number], string>; // one of each name
}

function fieldsOf(value: unknown, known: readonly string[] | undefined, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(`${what}: expected fields`);
  const unknown = known && Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) throw wrong(`${what}: expected ${known!.join(', ')}, got ${unknown.slice(0, 40)}`);
  return value as Record<string, unknown>;
}

const wrong = (message: string): CutlayerError => new CutlayerError('INVALID_CONFIG', `${message}; docs/metering.md has an example`);
