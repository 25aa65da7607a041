/**
 * Gives the memory of large arrays back at once. V8 frees it only at a later garbage collection;
 * with residuals of hundreds of megabytes a step, memory would grow by several steps until then. An
 * array transferred into a message without a receiver is freed with the message.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Tensor } from '../tensor/tensor.js';

let nowhere: MessagePort | undefined;

/** A port whose other end is closed. */
function closedPort(): MessagePort {
  if (nowhere === undefined) {
    const { port1, port2 } = new MessageChannel();
    port2.close();
    port1.close();
    nowhere = port1;
  }
  return nowhere;
}

/**
 * Frees the memory of unused tensors, whose arrays are empty afterwards. Only for tensors whose
 * whole buffer belongs to the caller.
 */
export function releaseTensors(tensors: Iterable<Tensor>): void {
  const buffers = buffersOf(tensors);
  if (buffers.length > 0) closedPort().postMessage(null, buffers);
}

/** The distinct, non-empty buffers behind tensors: `postMessage`'s transfer list. */
export function buffersOf(tensors: Iterable<Tensor>): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of tensors) if (data.buffer instanceof ArrayBuffer && data.buffer.byteLength > 0) buffers.add(data.buffer);
  return [...buffers];
}

/** Bytes of the elements of tensors. */
export function tensorBytes(tensors: Iterable<Tensor>): number {
  let bytes = 0;
  for (const { data } of tensors) bytes += data.byteLength;
  return bytes;
}
