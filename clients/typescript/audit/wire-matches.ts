/** How near to values that were sent the right guess comes. */
import type { WireDType } from '../../../src/protocol/wire/wire-dtype.js';

/** A distance relative to a row's length, by what the wire rounds. */
export const matches: Readonly<Record<WireDType, number>> = { f32: 1e-4, f16: 2e-3, bf16: 1.5e-2, int8: 2e-2 };
