/**
 * The coordinator's announcements as this member has seen them, kept for good: one signed link a line. What was accepted once is never given up for another
 * story, two links of one number are a proof that the coordinator has told two, and one that the manifest does not allow is a proof too.
 */

import { CutlayerError } from '../../../src/errors.js';
import { type Broadcast, type ChainHead, openBroadcast, type SignedBroadcast } from '../../../src/protocol/federation/chain.js';
import { type ChainState, follow, untold } from '../../../src/protocol/federation/chain-rules.js';
import type { RoundPurpose } from '../../../src/protocol/federation/enlistment.js';
import type { OpenManifest } from '../../../src/protocol/federation/manifest.js';
import { initialClipNorm } from '../../../src/protocol/federation/round-mechanism.js';
import type { StateStore } from './state-store.js';

/** The file's name. */
export const CHAIN_FILE = 'chain.jsonl';

/** A link that has been checked, and what has been told with it. */
interface OpenedLink {
  readonly broadcast: Broadcast;
  readonly head: ChainHead;
  readonly told: ChainState;
}

/** The verified chain. */
export class ChainLog {
  readonly #state: StateStore;
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

  private constructor(state: StateStore, { id, manifest }: OpenManifest) {
    this.#state = state;
    this.#federation = id;
    this.#coordinatorKey = Buffer.from(manifest.coordinatorKey, 'hex');
    this.#manifest = manifest;
    this.#clipNorm = initialClipNorm(manifest);
  }

  /** Reads and verifies what is kept. @param each told every link, in order. @throws CutlayerError BROADCAST_REJECTED when the file was changed */
  static async open(state: StateStore, open: OpenManifest, each: (broadcast: Broadcast) => Promise<void>): Promise<ChainLog> {
    const chain = new ChainLog(state, open);
    const lines = new TextDecoder().decode((await state.read(CHAIN_FILE)) ?? new Uint8Array(0)).split('\n');
    // Half a line is what a kill in the middle of an append leaves; it was never acted on.
    const whole = lines.slice(0, -1);
    if (lines.at(-1) !== '') await state.write(CHAIN_FILE, whole.map((line) => `${line}\n`).join(''));
    for (const line of whole) await each(chain.#take(parseLine(line)).broadcast);
    return chain;
  }

  /** Number of links. */
  get length(): number {
    return this.#head === null ? 0 : this.#head.seq + 1;
  }

  /** The newest link's hash, which enlistments state; undefined before the first. */
  get headHash(): string | undefined {
    return this.#head?.hash;
  }

  /** Version to use and to train from; undefined before the first link. */
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

  /** sha256 of an announced version's parameters, hex. */
  digestOf(version: number): string | undefined {
    return this.#digests.get(version);
  }

  /** Whether a hash is of a link of this chain: a member who states it is behind, and has seen nothing else. */
  knows(hash: string): boolean {
    return this.#hashes.has(hash);
  }

  /**
   * Takes up the next link: checked, then written down, then believed.
   * @throws CutlayerError BROADCAST_REJECTED, IO_ERROR
   */
  async add(signed: SignedBroadcast): Promise<Broadcast> {
    const opened = this.#open(signed);
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
    await this.#state.append(CHAIN_FILE, JSON.stringify({ bytes: text(signed.bytes), signature: text(signed.signature) }));
    return this.#believe(opened).broadcast;
  }

  #open(signed: SignedBroadcast): OpenedLink {
    const opened = openBroadcast(signed, { federation: this.#federation, coordinatorKey: this.#coordinatorKey, head: this.#head });
    return { ...opened, told: follow(this.#told, opened.broadcast, this.#manifest) };
  }

  #take(signed: SignedBroadcast): OpenedLink {
    return this.#believe(this.#open(signed));
  }

  #believe(opened: OpenedLink): OpenedLink {
    const { broadcast, head, told } = opened;
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
        this.#clipNorm = broadcast.clipNorm ?? this.#clipNorm;
        break;
      case 'promote':
      case 'reject':
        if (broadcast.round !== null) this.#released.set(broadcast.round, 'evaluate');
        break;
      case 'finish':
        this.#finished = broadcast.reason;
        break;
      default: // a rollback is in what has been told
        break;
    }
    return opened;
  }
}

function parseLine(line: string): SignedBroadcast {
  try {
    const { bytes, signature } = JSON.parse(line) as { readonly bytes: string; readonly signature: string };
    const decode = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
    return { bytes: decode(bytes), signature: decode(signature) };
  } catch (cause) {
    throw new CutlayerError('BROADCAST_REJECTED', `${CHAIN_FILE}: not what was written here; restore it from a backup`, { cause });
  }
}
