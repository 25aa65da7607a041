/** Whose token it is: with another member's, a participant would wait for tasks not its own. */
import { decodeJwt } from 'jose';
import { CutlayerError } from '../../../src/errors.js';

/**
 * Compares a token's tenant with the identity's member. Its server verifies the token; one that
 * cannot be read is left to it.
 * @throws CutlayerError NOT_A_MEMBER
 */
export function requireTokenOf(member: string, token: string): void {
  const tenant = tenantOf(token);
  if (tenant === undefined || tenant === member) return;
  throw new CutlayerError(
    'NOT_A_MEMBER',
    `the token for the coordinator was issued to ${tenant}, and --identity is ${member}'s on the roster; pass the token and the identity of one member`,
  );
}

function tenantOf(token: string): string | undefined {
  try {
    const { tenant } = decodeJwt(token);
    return typeof tenant === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(tenant) ? tenant : undefined;
  } catch {
    return undefined;
  }
}
