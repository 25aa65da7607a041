/**
 * Prices of work, and what work costs: gateway and client compute it alike. Prices are decimals
 * with at most six places; sums are exact.
 */
import { CutlayerError } from '../../errors.js';

/** What has a price, and for how much of it: a million rows, or 10^9 bytes in either direction. */
export const pricedNames = ['forward', 'backward', 'decoded', 'cached', 'gigabyte'] as const;

/** Decimals, such as `0.25`. */
export type Prices = Readonly<Record<(typeof pricedNames)[number], string>>;

/** Prices in a currency. */
export interface PriceList extends Prices {
  /** ISO 4217, such as EUR. */
  readonly currency: string;
}

/** Counts of work that cost something. */
export type PricedAmounts = Readonly<Record<'forward' | 'backward' | 'decoded' | 'cached' | 'bytesIn' | 'bytesOut', number>>;

const DECIMAL = /^(\d{1,9})(?:\.(\d{1,6}))?$/;
const PLACES = 6;
/** Sums are in units of 10^-15: a millionth of a price for a billionth of its amount. */
const SUM_PLACES = 15;

/** Whether a text is a price. */
export const isPrice = (text: string): boolean => DECIMAL.test(text);

/** Whether a text is a currency. */
export const isCurrency = (text: string): boolean => /^[A-Z]{3}$/.test(text);

/**
 * What work costs, with six places, rounded half up: `12.340000`. @throws CutlayerError
 * INVALID_ARGUMENT
 */
export function costOf(amounts: PricedAmounts, prices: Prices): string {
  const rows = (['forward', 'backward', 'decoded', 'cached'] as const).reduce(
    (sum, name) => sum + BigInt(amounts[name]) * millionths(name, prices[name]) * 1000n,
    0n,
  );
  const bytes = BigInt(amounts.bytesIn + amounts.bytesOut) * millionths('gigabyte', prices.gigabyte);
  const unit = 10n ** BigInt(SUM_PLACES - PLACES);
  const rounded = (rows + bytes + unit / 2n) / unit;
  const digits = rounded.toString().padStart(PLACES + 1, '0');
  return `${digits.slice(0, -PLACES)}.${digits.slice(-PLACES)}`;
}

/** A price in millionths. */
function millionths(name: string, price: string): bigint {
  const [, whole, places = ''] = DECIMAL.exec(price) ?? [];
  if (whole === undefined)
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `price of ${name}: expected a decimal with at most ${PLACES} places, got ${JSON.stringify(price.slice(0, 40))}`,
    );
  return BigInt(whole) * 10n ** BigInt(PLACES) + BigInt(places.padEnd(PLACES, '0'));
}
