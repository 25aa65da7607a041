/** When the vendor stops serving a backbone, in words. */
import type { ServedModel } from './served-model.js';

const DAY_MS = 24 * 3600 * 1000;
/** An end that is nearer is warned of: a migration trains and compares an adapter. */
const SOON_DAYS = 90;

export interface Shutdown {
  readonly says: string;
  /** Near, or past. */
  readonly soon: boolean;
}

/** @param now Milliseconds since 1970. @returns Undefined when the vendor has announced no day. */
export function shutdownOf({ shutdownDate }: Pick<ServedModel, 'shutdownDate'>, now: number): Shutdown | undefined {
  if (shutdownDate === undefined) return undefined;
  const days = Math.ceil((Date.parse(shutdownDate) - now) / DAY_MS);
  const soon = days < SOON_DAYS;
  const when =
    days > 0 ? `on ${shutdownDate}, ${days} ${days === 1 ? 'day' : 'days'} from now` : `since ${shutdownDate}, by its model card`;
  const advice = "; get the client bundle of the vendor's next model, and move adapters to it with cutlayer client migrate";
  return { says: `the vendor ${days > 0 ? 'stops serving' : 'no longer serves'} this backbone ${when}${soon ? advice : ''}`, soon };
}
