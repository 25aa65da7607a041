/**
 * The sealed shares of one round by receiver. Every sender's message has shares for all its
 * neighbours, so each message would be read once per neighbour. Instead all are read once and kept
 * packed, in bounded memory, while they are handed out.
 */
import { sealedCodec } from '../../protocol/federation/message-codec.js';
import type { Cohort } from '../../protocol/secagg/cohort.js';
import type { SealedShares } from '../../protocol/secagg/messages.js';
import { SEALED_BYTES } from '../../protocol/secagg/sealing.js';
import { divide } from '../../protocol/secagg/verification.js';
import type { Transaction } from '../tables/database.js';

/** Most memory of one round's shares; in a larger round each inbox is read separately. */
const MOST_BYTES = 64 * 2 ** 20;

interface Inbox {
  readonly from: string[];
  /** One ciphertext per sender, concatenated, with spare room at the end. */
  packed: Uint8Array;
}

/** See the module's header. */
export class SealedInboxes {
  readonly round: number;
  readonly #federation: string;
  readonly #sharers: readonly string[];
  /** Undefined: too large. */
  readonly #inboxes: ReadonlyMap<string, Inbox> | undefined;

  private constructor(federation: string, round: number, sharers: readonly string[], inboxes: ReadonlyMap<string, Inbox> | undefined) {
    this.#federation = federation;
    this.round = round;
    this.#sharers = sharers;
    this.#inboxes = inboxes;
  }

  /**
   * Reads the messages of a round whose sharing has ended.
   * @param sharers senders of the messages, sorted; the messages are kept until the round ends
   * @param mostBytes of all inboxes together
   */
  static async load(
    transaction: Transaction,
    federation: string,
    round: number,
    sharers: readonly string[],
    mostBytes = MOST_BYTES,
  ): Promise<SealedInboxes> {
    const inboxes = new Map<string, Inbox>();
    let bytes = 0;
    for (const member of sharers) {
      for (const sealed of await sealedBy(transaction, federation, round, member)) {
        bytes += SEALED_BYTES;
        put(inboxes, sealed);
      }
      if (bytes > mostBytes) return new SealedInboxes(federation, round, sharers, undefined);
    }
    return new SealedInboxes(federation, round, sharers, inboxes);
  }

  /** The shares for one member, sorted by sender. */
  async of(transaction: Transaction, cohort: Cohort, member: string): Promise<SealedShares[]> {
    const inboxes = this.#inboxes;
    if (inboxes === undefined) {
      const [senders] = divide(cohort.neighboursOf(member), this.#sharers);
      const inbox: SealedShares[] = [];
      for (const sender of senders) {
        const mine = (await sealedBy(transaction, this.#federation, this.round, sender)).find(({ to }) => to === member);
        if (mine !== undefined) inbox.push(mine);
      }
      return inbox;
    }
    const { from, packed } = inboxes.get(member) ?? { from: [], packed: new Uint8Array(0) };
    return from.map((sender, at) => ({
      from: sender,
      to: member,
      ciphertext: packed.slice(at * SEALED_BYTES, (at + 1) * SEALED_BYTES),
    }));
  }
}

async function sealedBy(transaction: Transaction, federation: string, round: number, member: string): Promise<readonly SealedShares[]> {
  const row = await transaction.messages.read({ federation, round, stage: 'sharing', member });
  return sealedCodec.decode(row!.bytes!); // a sharer's message is kept until the round ends
}

/** Lengths were checked when the messages came. */
function put(inboxes: Map<string, Inbox>, { from, to, ciphertext }: SealedShares): void {
  const inbox = inboxes.get(to) ?? { from: [], packed: new Uint8Array(16 * SEALED_BYTES) };
  inboxes.set(to, inbox);
  const at = inbox.from.length * SEALED_BYTES;
  if (at === inbox.packed.length) {
    const larger = new Uint8Array(2 * at);
    larger.set(inbox.packed);
    inbox.packed = larger;
  }
  inbox.packed.set(ciphertext, at);
  inbox.from.push(from);
}
