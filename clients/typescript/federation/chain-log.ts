/**
 * The coordinator's broadcasts as this member has seen them, kept for good with their signatures.
 * An accepted broadcast is never replaced. Two of one number prove that the coordinator told two
 * stories; so does one that the manifest does not allow.
 */
import { type Broadcast, type ChainHead, openBroadcast, type SignedBroadcast } from '../../../src/protocol/federation/chain.js';
import { type ChainState, follow, untold } from '../../../src/protocol/federation/chain-rules.js';
import type { RoundPurpose } from '../../../src/protocol/federation/enlistment.js';
import type { OpenManifest } from '../../../src/protocol/federation/manifest.js';
import { initialClipNorm } from '../../../src/protocol/federation/round-mechanism.js';
import type { MemberStore } from './member-store.js';

/** A broadcast that has been checked, and what has been told with it. */
interface OpenedBroadcast {
  readonly broadcast: Broadcast;
  readonly head: ChainHead;
  readonly told: ChainState;
}

export class ChainLog {
  readonly #state: MemberStore;
  readonly #federation: string;
  readonly #coordinatorKey: Uint8Array;
  readonly #manifest: OpenManifest['manifest'];
  #head: ChainHead | null = null;
  #told: ChainState = untold;
  #clipNorm: number | null;
  #finished: string | undefined;
  readonly #digests = new Map<number, string>();
  readonly #hashes = new Set<string>();
  readonly #released = new Map<number, RoundPurpose>();
  readonly #sums = new Map<RoundPurpose, readonly string[]>();

  private constructor(state: MemberStore, { id, manifest }: OpenManifest) {
    this.#state = state;
    this.#federation = id;
    this.#coordinatorKey = Buffer.from(manifest.coordinatorKey, 'hex');
    this.#manifest = manifest;
    this.#clipNorm = initialClipNorm(manifest);
  }

  /** Reads and verifies what is kept. @throws CutlayerError BROADCAST_REJECTED */
  static async open(state: MemberStore, open: OpenManifest, each: (broadcast: Broadcast) => Promise<void> | void): Promise<ChainLog> {
    const chain = new ChainLog(state, open);
    for (const signed of state.all<SignedBroadcast>('SELECT bytes, signature FROM chain ORDER BY seq'))
      await each(chain.#believe(chain.#open(signed)));
    return chain;
  }

  /** Number of broadcasts. */
  get length(): number {
    return this.#head === null ? 0 : this.#head.seq + 1;
  }

  /** The newest broadcast's hash, which enlistments state; undefined before the first. */
  get headHash(): string | undefined {
    return this.#head?.hash;
  }

  /** Version to use and to train from; undefined before the first broadcast. */
  get promoted(): number | undefined {
    return this.#told.begun ? this.#told.promoted : undefined;
  }

  /** The newest aggregate, while nothing has been decided about it. */
  get candidate(): number | undefined {
    return this.#told.candidate ?? undefined;
  }

  /** Of the next train round; null without clipping. */
  get clipNorm(): number | null {
    return this.#clipNorm;
  }

  /** Why the federation has ended; undefined while it has not. */
  get finished(): string | undefined {
    return this.#finished;
  }

  /** Rounds that ended in a release, and for what they were run. */
  get released(): ReadonlyMap<number, RoundPurpose> {
    return this.#released;
  }

  /** Members of the newest released sum of a purpose; undefined before the first. */
  newestSum(purpose: RoundPurpose): readonly string[] | undefined {
    return this.#sums.get(purpose);
  }

  /** sha256 of a version's parameters, as broadcast, hex. */
  digestOf(version: number): string | undefined {
    return this.#digests.get(version);
  }

  /** Whether a hash is of this chain: then the member that states it is only behind. */
  knows(hash: string): boolean {
    return this.#hashes.has(hash);
  }

  /**
   * Takes up the next broadcast: checked, then written down, then believed.
   * @throws CutlayerError BROADCAST_REJECTED, IO_ERROR
   */
  add(signed: SignedBroadcast): Broadcast {
    const opened = this.#open(signed);
    this.#state.run('INSERT INTO chain VALUES (?, ?, ?)', opened.head.seq, signed.bytes, signed.signature);
    return this.#believe(opened);
  }

  #open(signed: SignedBroadcast): OpenedBroadcast {
    const opened = openBroadcast(signed, { federation: this.#federation, coordinatorKey: this.#coordinatorKey, head: this.#head });
    return { ...opened, told: follow(this.#told, opened.broadcast, this.#manifest) };
  }

  #believe({ broadcast, head, told }: OpenedBroadcast): Broadcast {
    this.#head = head;
    this.#told = told;
    this.#hashes.add(head.hash);
    switch (broadcast.kind) {
      case 'begin':
        this.#digests.set(0, broadcast.digest);
        break;
      case 'aggregate':
        this.#digests.set(broadcast.version, broadcast.digest);
        this.#released.set(broadcast.round, 'train');
        this.#sums.set('train', broadcast.participants);
        this.#clipNorm = broadcast.clipNorm ?? this.#clipNorm;
        break;
      case 'promote':
      case 'reject':
        if (broadcast.round !== null) {
          this.#released.set(broadcast.round, 'evaluate');
          this.#sums.set('evaluate', broadcast.participants);
        }
        break;
      case 'finish':
        this.#finished = broadcast.reason;
        break;
      default: // a rollback is in what has been told
        break;
    }
    return broadcast;
  }
}
