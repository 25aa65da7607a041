/** The classes of a classification head whose `--labels` are not given: those of the data. */
import { CutlayerError } from '../../../../src/errors.js';
import { stderr } from '../../../../src/files/output.js';
import { isRead } from '../../adapters/setting-table.js';
import { readLabels } from '../../data/labels.js';
import type { TrainFlags } from './train-options-table.js';

/** Classes that are named in a line. */
const SHOWN = 12;

/**
 * The flags with labels, where the method needs some and none are given. They are said, and stand
 * in the run's config.yaml: their order is that of the head's rows.
 * @throws CutlayerError INVALID_DATA (fewer than two), as `readLabels`
 */
export async function withLabels<Flags extends Pick<TrainFlags, 'labels' | 'method' | 'initAdapter' | 'data' | 'format'>>(
  flags: Flags,
): Promise<Flags> {
  const { labels: given, method, initAdapter, data, format } = flags;
  if (given.length > 0 || initAdapter !== undefined || !isRead('labels', method)) return flags;
  const { labels, records } = await readLabels(data, format);
  if (labels.length < 2) {
    const got = labels.length === 0 ? 'none' : `${JSON.stringify(labels[0]!.slice(0, 60))} alone`;
    throw new CutlayerError(
      'INVALID_DATA',
      `${data}: expected two or more different labels in ${records} records, got ${got}; pass the classes as --labels`,
    );
  }
  const more = labels.length > SHOWN ? ` and ${labels.length - SHOWN} more` : '';
  stderr.line(`note: labels are those of the data: ${labels.slice(0, SHOWN).join(', ')}${more}; --labels names others, or another order`);
  return { ...flags, labels };
}
