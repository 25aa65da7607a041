/**
 * Gives the memory of large arrays back at once. V8 frees an array's memory only at some later garbage collection, and with
 * residuals of hundreds of megabytes a step that is too late: memory would grow by several steps before it fell. An array
 * that is transferred into a message which nobody will ever receive is freed as soon as the message is dropped.
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
 * Frees the memory behind tensors that nobody uses any more; their arrays are empty afterwards.
 * Only for tensors whose whole buffer belongs to the caller.
 */
export function releaseTensors(tensors: Iterable<Tensor>): void {
  const buffers = buffersOf(tensors);
  if (buffers.length > 0) closedPort().postMessage(null, buffers);
}

/** The distinct, not yet emptied buffers behind tensors: what a `postMessage` takes as its transfer list. */
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
