/** The promoted version at a member: its adapter on disk, and its metrics on held-out examples. */
import { CutlayerError } from '../../../src/errors.js';
import type { RecordedDefence } from '../defences/defence.js';
import type { ChainLog } from './chain-log.js';
import type { LocalData } from './data/local-data.js';
import type { ParticipantEvent, ParticipantSummary } from './participant-events.js';
import { isPassing } from './patience.js';
import type { RoundWork } from './round-work.js';
import { writeVersion } from './version-files.js';

export interface PromotedVersionOptions {
  readonly chain: ChainLog;
  readonly work: RoundWork;
  readonly data: LocalData;
  /** For adapters; undefined: they are not written. */
  readonly directory: string | undefined;
  /** Those that this member trains with. */
  readonly defences: readonly RecordedDefence[];
  readonly evaluateLocally: boolean;
  readonly tell: (event: ParticipantEvent) => void;
}

export class PromotedVersion {
  readonly #around: PromotedVersionOptions;
  /** The one in `adapter/`, as far as this process knows. */
  #written: number | undefined;
  readonly #measured = new Map<number, ParticipantSummary['measured'][number]>();
  /** Whether it is still to be measured. */
  unmeasured = false;

  constructor(around: PromotedVersionOptions) {
    this.#around = around;
  }

  /** Whether its adapter is in its place. */
  get isWritten(): boolean {
    return this.#around.chain.promoted === this.#written;
  }

  /** Versions measured, in their order. */
  get measured(): ParticipantSummary['measured'] {
    return [...this.#measured.values()];
  }

  /** Writes the adapter. @returns its directory; undefined where none is written */
  async write(): Promise<string | undefined> {
    const { chain, directory, work, defences } = this.#around;
    const { promoted } = chain;
    const wanted = directory !== undefined && promoted !== undefined;
    const written = wanted ? await writeVersion(directory, promoted, await work.use(promoted), defences) : undefined;
    this.#written = promoted;
    return written;
  }

  /** Measures it, for the member alone. @throws CutlayerError what passes, and DIGEST_MISMATCH */
  async measure(signal: AbortSignal): Promise<void> {
    const { chain, work, data, evaluateLocally, tell } = this.#around;
    const { promoted } = chain;
    this.unmeasured = false;
    if (promoted === undefined || !evaluateLocally || this.#measured.has(promoted)) return;
    try {
      if (work.measuredBefore(promoted) === undefined && data.heldOut(promoted).current.length > 0)
        await work.measure(promoted, promoted, signal);
    } catch (caught) {
      const error = CutlayerError.from(caught);
      this.unmeasured = isPassing(error);
      if (signal.aborted || this.unmeasured || error.code === 'DIGEST_MISMATCH') throw error;
      tell({ type: 'unmeasured', version: promoted, code: error.code, message: error.message });
      return;
    }
    const metrics = work.measuredBefore(promoted);
    if (metrics !== undefined) this.#measured.set(promoted, { version: promoted, ...metrics });
  }
}
