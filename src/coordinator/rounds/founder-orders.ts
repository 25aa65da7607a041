/** Whose an order is, and whether it is the one that is due. */
import { CutlayerError } from '../../errors.js';
import type { ChainHead } from '../../protocol/federation/chain.js';
import { type FounderAction, type FounderOrder, isOrderSigned } from '../../protocol/federation/founder-order.js';
import type { OpenManifest } from '../../protocol/federation/manifest.js';
import type { FederationContext } from './federation-context.js';
import { skipRefusal } from './round-stages.js';
import type { FederationMemory } from './round-state.js';

/** @throws CutlayerError NOT_THE_FOUNDER unless the key in the manifest has signed the order */
export function requireFounder({ id, manifest }: Pick<OpenManifest, 'id' | 'manifest'>, action: FounderAction, order: FounderOrder): void {
  if (isOrderSigned(id, action, order, manifest.founderKey)) return;
  throw new CutlayerError(
    'NOT_THE_FOUNDER',
    `federation ${id}: expected a ${action.kind} signed by its founder's key ${manifest.founderKey}, got another signature; ` +
      "an admin token alone steers no federation: pass the --state-dir that holds its founder's founder-key.hex",
  );
}

/** @throws CutlayerError ORDER_OUTDATED unless it is the next order, at the newest broadcast */
export function requireDue(
  { memory, head }: { readonly memory: Pick<FederationMemory, 'orders'>; readonly head: Pick<ChainHead, 'hash'> },
  { number, chainHead }: FounderOrder,
): void {
  const due = memory.orders + 1;
  if (number === due && chainHead === head.hash) return;
  throw new CutlayerError(
    'ORDER_OUTDATED',
    `order: expected number ${due} at chain head ${head.hash.slice(0, 12)}, got number ${number} at ${chainHead.slice(0, 12)}; ` +
      'it was carried out before, or the federation has moved on: read the status, and sign again',
  );
}

/**
 * @throws CutlayerError ROUND_CLOSED (another round, or none), NOT_A_MEMBER, ROUND_REFUSED unless
 *   the round can go on without the member
 */
export function requireSkippable(
  { memory, context }: { readonly memory: Pick<FederationMemory, 'round'>; readonly context: Pick<FederationContext, 'policy'> },
  { member, round: number }: Extract<FounderAction, { readonly kind: 'skip' }>,
): void {
  const { round } = memory;
  const { policy } = context;
  if (!policy.members.includes(member)) throw new CutlayerError('NOT_A_MEMBER', `skip: ${member} is not on the roster`);
  if (round?.round !== number) {
    const now = round === null ? 'no round is under way' : `round ${round.round} is under way`;
    throw new CutlayerError('ROUND_CLOSED', `skip: the order is for round ${number}, and ${now}; read the status`);
  }
  const refusal = skipRefusal(round, member, policy);
  if (refusal !== null) throw new CutlayerError('ROUND_REFUSED', `skip: round ${number}: ${refusal}`);
}
