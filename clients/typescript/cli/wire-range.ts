/** Whether the type of numbers on the wire holds what a bundle's model sends. */
import type { ClientBundleManifest } from '../../../src/artifacts/manifest.js';
import { f16Fit, measuredText } from '../../../src/artifacts/wire-range.js';
import { CutlayerError } from '../../../src/errors.js';
import type { WireDType } from '../../../src/protocol/wire/wire-dtype.js';

/**
 * @returns What to tell of the type; undefined where there is nothing to tell
 * @throws CutlayerError INVALID_OPTION where values that `pack` measured do not fit
 */
export function wireNote({ wire }: Pick<ClientBundleManifest, 'wire'>, dtype: WireDType): string | undefined {
  if (dtype !== 'f16' || wire === undefined) return undefined;
  switch (f16Fit(wire)) {
    case 'ok':
      return undefined;
    case 'near':
      return `--wire f16 has less than a factor 4 to spare (${measuredText(wire)}); larger values would end the run, bf16 holds them`;
    case 'overflows':
      throw new CutlayerError(
        'INVALID_OPTION',
        `--wire f16: values of this model overflow (${measuredText(wire)}); pass --wire bf16, int8 or f32`,
      );
  }
}
