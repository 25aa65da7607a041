/**
 * Gives a founder's order. The founder signs at a chain head that it has verified itself, and again
 * where the chain has moved on.
 */
import type { FederationReport } from '../../coordinator/coordinator-api.js';
import { reportOf } from '../../coordinator/service/reports.js';
import { CutlayerError } from '../../errors.js';
import { type FounderAction, signOrder } from '../../protocol/federation/founder-order.js';
import type { IdentityKey } from '../../protocol/secagg/signature.js';
import type { FounderConnection } from './founder-connection.js';
import { fetchChain } from './verified-chain.js';

/** Broadcasts come rarely: an order that meets several is given up. */
const MOST_TRIES = 5;

/**
 * @throws CutlayerError NOT_THE_FOUNDER, NOT_FOUND, INVALID_ARGUMENT, ORDER_OUTDATED (each time),
 *   MANIFEST_REJECTED, BROADCAST_REJECTED
 */
export async function steer(
  connection: FounderConnection,
  federation: string,
  action: FounderAction,
  founder: IdentityKey,
): Promise<FederationReport> {
  const fields = fieldsOf(action);
  for (let left = MOST_TRIES - 1; ; left--) {
    const { open, head: chainHead } = await fetchChain(connection, federation);
    const [status] = (await connection.call('GetStatus', { federation })).federations;
    const { name } = open.manifest.settings;
    if (status?.name !== name)
      throw new CutlayerError('MANIFEST_REJECTED', `federation ${federation}: its manifest names it ${name}, and the coordinator does not`);
    const place = { number: status.orders + 1, chainHead };
    const { signature, ...order } = signOrder(federation, action, place, founder.privateKey);
    const signed = { ...order, signature: Buffer.from(signature, 'hex') };
    try {
      return reportOf(await connection.call('ControlFederation', { federation, ...fields, order: signed }));
    } catch (caught) {
      if (left === 0 || CutlayerError.from(caught).code !== 'ORDER_OUTDATED') throw caught;
    }
  }
}

function fieldsOf(action: FounderAction) {
  if (action.kind === 'rollback') return { rollback: action.version };
  if (action.kind === 'skip') return { skip: { member: action.member, round: action.round } };
  return { [action.kind]: true };
}
