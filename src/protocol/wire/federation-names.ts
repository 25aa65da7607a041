/** The enums of the federation service by the names that everything but the wire uses. */
import type { RoundPurpose } from './generated/cutlayer/v1/RoundPurpose.js';
import type { Stage } from './generated/cutlayer/v1/Stage.js';

/** Purposes of a round. */
export const wirePurposes = {
  train: 'ROUND_PURPOSE_TRAIN',
  evaluate: 'ROUND_PURPOSE_EVALUATE',
} as const satisfies Record<string, RoundPurpose>;

/** Stages of a round that members answer. */
export const wireStages = {
  enlisting: 'STAGE_ENLISTING',
  sharing: 'STAGE_SHARING',
  submitting: 'STAGE_SUBMITTING',
  confirming: 'STAGE_CONFIRMING',
  unmasking: 'STAGE_UNMASKING',
} as const satisfies Record<string, Stage>;

/** The name, in one of these tables, of an enum value that proto-loader decoded; else undefined. */
export function enumName<Key extends string>(table: Readonly<Record<Key, string>>, value: string | number): Key | undefined {
  return (Object.keys(table) as Key[]).find((key) => table[key] === value);
}
