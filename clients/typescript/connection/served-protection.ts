/** The protection of a model card: what the vendor allows this tenant (docs/protection.md). */
import type { GetModelResponse__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/GetModelResponse.js';
import type { Protection__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/Protection.js';

/** Bounds by their names; an absent one is no bound. */
export type ServedProtection = { readonly [Bound in Exclude<keyof Protection__Output, 'alarmAt'>]?: number };

/** Of a card; of a gateway that states none, nothing. */
export function servedProtection(stated: GetModelResponse__Output['protection']): ServedProtection {
  if (stated === null) return {};
  const { alarmAt: _, ...bounds } = stated;
  return Object.fromEntries(Object.entries(bounds).filter(([, bound]) => bound > 0));
}
