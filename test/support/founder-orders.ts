/** A founder's orders, as tests give them. */
import type { CoordinatorApi, FederationReport } from '../../src/coordinator/coordinator-api.js';
import { type FounderAction, type FounderOrder, signOrder } from '../../src/protocol/federation/founder-order.js';
import type { IdentityKey } from '../../src/protocol/secagg/signature.js';

/** For code that does not look at it. */
export const anyOrder: FounderOrder = { number: 1, chainHead: '0'.repeat(64), signature: '0'.repeat(128) };

/** The order that is due, signed by `founder`. */
export async function dueOrder(
  coordinator: Pick<CoordinatorApi, 'status'>,
  federation: string,
  action: FounderAction,
  founder: IdentityKey,
): Promise<FounderOrder> {
  const [report] = await coordinator.status(federation);
  return signOrder(federation, action, { number: report!.orders + 1, chainHead: report!.chainHead }, founder.privateKey);
}

/** Gives the order that is due. */
export async function giveOrder(
  coordinator: Pick<CoordinatorApi, 'status' | 'control'>,
  federation: string,
  action: FounderAction,
  founder: IdentityKey,
): Promise<FederationReport> {
  return coordinator.control(federation, action, await dueOrder(coordinator, federation, action, founder));
}
