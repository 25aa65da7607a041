/**
 * Charges a decode session's rows in the gateway's ledger. A row is named by its chain of digests
 * (row-digests.ts), which the row cache has too. Its rules are those of ledger/session-usage.ts.
 */
import type { SpanKind } from '../../artifacts/manifest.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { AdapterInput } from '../engine/step-inputs.js';
import type { Amounts } from '../ledger/charge.js';
import type { Ledger, SessionKey } from '../ledger/ledger.js';
import type { SessionUsage } from '../ledger/session-usage.js';
import { RowDigests } from './row-digests.js';

/** Bytes of tensors on the wire, of a request and of its answer. */
export type WireBytes = Readonly<Pick<Amounts, 'bytesIn' | 'bytesOut'>>;

const noBytes: WireBytes = { bytesIn: 0, bytesOut: 0 };

/** A session that begins. */
export interface MeteredSession extends SessionKey {
  readonly maxRows: number;
  readonly adapter: AdapterInput;
  /** Its rows have other names with the rope of long sequences: they are other work. */
  readonly longRope?: boolean | undefined;
  /** Of the opening. */
  readonly bytes?: WireBytes | undefined;
}

/** Rows [from, to) that the row cache has served. */
interface Served {
  readonly from: number;
  readonly to: number;
}

/** The charges of one session. */
export class SessionMeter {
  readonly #ledger: Ledger;
  readonly #key: SessionKey;
  readonly #usage: SessionUsage;
  readonly #names: RowDigests;
  readonly #adapter: SpanKind;
  /** Rows of a prefix: they go through no block, and have no names. */
  readonly #base: number;
  /** Of the opening: charged with the session's first entry. */
  readonly #opening: WireBytes;

  private constructor(parts: {
    readonly ledger: Ledger;
    readonly key: SessionKey;
    readonly usage: SessionUsage;
    readonly names: RowDigests;
    readonly adapter: SpanKind;
    readonly base: number;
    readonly opening: WireBytes;
  }) {
    this.#ledger = parts.ledger;
    this.#key = parts.key;
    this.#usage = parts.usage;
    this.#names = parts.names;
    this.#adapter = parts.adapter;
    this.#base = parts.base;
    this.#opening = parts.opening;
  }

  /**
   * The meter of a session that begins, or that is replayed under its id.
   * @param digest of the backbone
   * @throws CutlayerError UNAVAILABLE
   */
  static async open(ledger: Ledger, session: MeteredSession, digest: string): Promise<SessionMeter> {
    const { tenant, id, maxRows, adapter, longRope = false, bytes: opening = noBytes } = session;
    const base = adapter.kind === 'prefix' ? adapter.value.shape[2]! : 0;
    const key = { tenant, id };
    const usage = await ledger.openSession(key, maxRows);
    const names = RowDigests.begin({ backboneDigest: digest, longRope }, adapter, maxRows - base);
    return new SessionMeter({ ledger, key, usage, names, adapter: adapter.kind, base, opening });
  }

  /** Rows [n, hiddenSize] are to follow the session's first `from` ones. */
  append(from: number, rows: Tensor<'float32'>): void {
    this.#usage.goesOnFrom(from - this.#base);
    this.#names.append(from - this.#base, rows);
  }

  /**
   * Charges the rows among the session's first `length` that are not charged yet.
   * @throws CutlayerError UNAVAILABLE, QUEUE_FULL
   */
  async charge(length: number, served: Served = { from: 0, to: 0 }, bytes: WireBytes = noBytes): Promise<void> {
    const base = this.#base;
    const cached = (row: number): boolean => row + base >= served.from && row + base < served.to;
    const due = () => this.#usage.due(length - base, this.#names, cached);
    const first = due()?.entry === 0 ? this.#opening : noBytes;
    const amounts = { bytesIn: bytes.bytesIn + first.bytesIn, bytesOut: bytes.bytesOut + first.bytesOut };
    await this.#ledger.chargeRows(this.#key, this.#usage, { due, adapter: this.#adapter, amounts });
  }

  /**
   * The meter of a copy of the session's first `length` rows, which this one has paid for.
   * @throws CutlayerError UNAVAILABLE, QUEUE_FULL
   */
  async fork(id: string, length: number): Promise<SessionMeter> {
    await this.charge(length);
    const key = { tenant: this.#key.tenant, id };
    const usage = await this.#ledger.openSession(key, this.#usage.maxRows);
    const names = this.#names.copy();
    await this.#ledger.inheritRows(key, usage, () => usage.due(length - this.#base, names, () => false));
    return new SessionMeter({ ledger: this.#ledger, key, usage, names, adapter: this.#adapter, base: this.#base, opening: noBytes });
  }
}
