/** `cutlayer gateway start --check`: opens all that a gateway reads, and makes nothing. */
import { loadBackbone } from '../artifacts/store.js';
import { checkServerFiles } from '../server/check-files.js';
import type { GatewayConfig } from './config.js';
import { readPrices } from './ledger/price-file.js';
import { embeddingRange } from './protection/embedding-range.js';
import { standardPolicy } from './protection/policy.js';
import { readPolicies } from './protection/policy-file.js';

/**
 * @throws CutlayerError NOT_FOUND, INVALID_ARTIFACT, DIGEST_MISMATCH, SIGNATURE_REJECTED, IO_ERROR,
 *   INVALID_CONFIG
 */
export async function checkGateway(config: GatewayConfig): Promise<void> {
  await checkServerFiles(config);
  if (config.prices !== undefined) await readPrices(config.prices);
  const { manifest } = await loadBackbone(config.backbone, { verify: config.verify, signer: config.signer });
  const base = { standard: standardPolicy(manifest.dims.hiddenSize), embedding: embeddingRange(manifest.embeddingNorms) };
  if (config.protection !== undefined) await readPolicies(config.protection, base);
}
