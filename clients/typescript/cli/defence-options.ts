/** Options of the defences, at every command that sends rows of texts. Each says its claim. */
import { type OptionRow, type OptionTable, optional, path, positiveNumber, under, type ValuesOf } from '../../../src/options/option.js';
import { ROW_NOISE_CLAIM } from '../defences/row-noise.js';

/** Whether some of them draw noise. */
export function drawsNoise({ rowNoise }: { readonly rowNoise?: unknown }): boolean {
  return rowNoise !== undefined;
}

/** Options that are idle without noise. */
function noisy<T>(row: OptionRow<T>): OptionRow<T> {
  return { ...row, idle: (values) => (drawsNoise(values) ? undefined : 'no noise is drawn; ask for some with --row-noise') };
}

export const defenceOptions = {
  ...under('Defences', {
    rowNoise: optional(
      positiveNumber('scale', `noise on each row that is sent, in units of such rows' standard deviation. ${ROW_NOISE_CLAIM}`),
    ),
    defenceSecretFile: noisy(
      optional(
        path(
          'file',
          'the secret of the noise, 64 hexadecimal digits; made when missing (default: train keeps one in --out, others forget it)',
        ),
      ),
    ),
  }),
} satisfies OptionTable;

export type DefenceFlags = ValuesOf<typeof defenceOptions>;
