/** `cutlayer gateway start --check`: opens all that a gateway reads, and makes nothing. */
import { loadBackbone } from '../artifacts/store.js';
import { checkServerFiles } from '../server/check-files.js';
import type { GatewayConfig } from './config.js';
import { readPrices } from './ledger/price-file.js';

/**
 * @throws CutlayerError NOT_FOUND, INVALID_ARTIFACT, DIGEST_MISMATCH, SIGNATURE_REJECTED, IO_ERROR,
 *   INVALID_CONFIG
 */
export async function checkGateway(config: GatewayConfig): Promise<void> {
  await checkServerFiles(config);
  if (config.prices !== undefined) await readPrices(config.prices);
  await loadBackbone(config.backbone, { verify: config.verify, signer: config.signer });
}
