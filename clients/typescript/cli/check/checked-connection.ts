/** The connection that is checked: of a command's flags, or one that is to become a profile. */
import type { TokenOptions } from '../../connection/token-source.js';
import type { ConnectionFlags } from '../connection-options.js';
import { tokenOptions } from '../session.js';

type Checked = 'bundle' | 'gateway' | 'ca' | 'clientCert' | 'clientKey' | 'insecure' | 'wire' | 'deadline' | 'verify' | 'signer';

export interface CheckedConnection extends Pick<ConnectionFlags, Checked> {
  /** Where the token comes from. @throws CutlayerError TOKEN_MISSING */
  readonly token: () => TokenOptions;
  /** The file of the policy. */
  readonly attestationPolicy?: string | undefined;
}

/** The connection of a command's flags. */
export function connectionOf(flags: ConnectionFlags): CheckedConnection {
  const token = () => tokenOptions(flags.tokenFile, 'CUTLAYER_TOKEN', 'no access token: pass --token-file');
  return { ...flags, token };
}
