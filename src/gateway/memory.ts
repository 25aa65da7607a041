/** Compares the gateway's limits with the memory of its machine, once, at the start. */
import { totalmem } from 'node:os';
import type { BackboneManifest } from '../artifacts/manifest.js';
import type { Logger } from '../server/observability/log.js';
import type { GatewayConfig } from './config.js';
import { VERIFIED_SHARE } from './engine/memory-budget.js';
import { packedGraphs, weightsBytesOf } from './engine/packed-graphs.js';
import { WorkSizes } from './engine/work-size.js';
import type { SplitLimits } from './split/limits.js';

/** The process itself: code, heap and native libraries. Measured: some 150 MB, and a reserve. */
const PROCESS_BYTES = 256 * 2 ** 20;

/** Bytes that this process may use: the machine's, or those of its control group when fewer. */
export function machineMemoryBytes(total = totalmem(), constrained = process.constrainedMemory()): number {
  // Without a limit Node gives 0, or a number beyond all memory.
  return constrained > 0 ? Math.min(total, constrained) : total;
}

/** What a start compares. */
export interface MemoryLimits {
  readonly config: Pick<GatewayConfig, 'residualMemory' | 'workers'> & Partial<Pick<GatewayConfig, 'messageMemory' | 'decodeMemory'>>;
  readonly memoryBytes: number;
  readonly manifest: Pick<BackboneManifest, 'dims' | 'graphs' | 'files' | 'weightsFile'>;
  readonly limits: Pick<SplitLimits, 'maxTokens' | 'maxMessageBytes'>;
  /** For copies of the weights; see {@link packedMemoryBytes}. Default 0. */
  readonly packedBytes?: number;
  readonly machineBytes?: number;
}

/** Without a setting, copies of the weights have half of what the machine has beside the rest. */
export function packedMemoryBytes(given: Omit<MemoryLimits, 'limits' | 'packedBytes'>): number {
  const { machineBytes = machineMemoryBytes() } = given;
  return Math.max(0, Math.floor((machineBytes - neededWithoutCopies(given)) / 2));
}

function neededWithoutCopies({ config: { decodeMemory = 0 }, memoryBytes, manifest }: Omit<MemoryLimits, 'limits'>): number {
  const weightsBytes = weightsBytesOf(manifest);
  // The decoder has a copy of the weights.
  const decodingBytes = decodeMemory === 0 ? 0 : decodeMemory + weightsBytes;
  return memoryBytes + decodingBytes + weightsBytes + PROCESS_BYTES;
}

/** Says what the limits add up to, and warns of each that the machine or the budget cannot hold. */
export function logMemory(given: MemoryLimits, log: Pick<Logger, 'info' | 'warn'>): void {
  const { config, memoryBytes, manifest, limits, packedBytes = 0, machineBytes = machineMemoryBytes() } = given;
  const { residualMemory, workers, decodeMemory = 0, messageMemory = 0 } = config;
  const callBytes = Math.floor(memoryBytes * VERIFIED_SHARE);
  const packed = packedGraphs(manifest, { bytes: packedBytes, workers });
  const neededBytes = neededWithoutCopies(given) + packed.bytes;
  const largestStepBytes = new WorkSizes(manifest.dims).withResiduals('none', limits.maxTokens, limits.maxMessageBytes);
  const numbers = {
    machineBytes,
    neededBytes,
    memoryBytes,
    decodeMemoryBytes: decodeMemory,
    weightsBytes: weightsBytesOf(manifest),
    packedGraphs: packed.files.length,
    packedBytes: packed.bytes,
    residualMemoryBytes: residualMemory,
    largestStepBytes,
    workers,
  };
  log.info(numbers, 'memory: limits of this gateway and its machine');
  if (neededBytes > machineBytes)
    log.warn(
      numbers,
      'memory: --memory, --decode-memory, --packed-memory, weights and the process itself are more than the machine has; lower --memory',
    );
  if (residualMemory > memoryBytes)
    log.warn(numbers, 'memory: --residual-memory is more than --memory, which bounds it; lower it, or raise --memory');
  if (messageMemory > callBytes)
    log.warn(numbers, 'memory: --message-memory is more than calls may have of --memory, which bounds it; lower it, or raise --memory');
  if (2 * limits.maxMessageBytes > callBytes)
    log.warn(
      numbers,
      'memory: the largest message and its inputs are more than calls may have of --memory and are refused; lower --max-tokens',
    );
  if (largestStepBytes > memoryBytes / 2)
    log.warn(numbers, 'memory: a step of --max-tokens rows may need more than half of --memory and is then refused; lower --max-tokens');
}
