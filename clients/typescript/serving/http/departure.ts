/** Tells when a request's client has gone away before its answer was whole. */
import type { ServerResponse } from 'node:http';

/** A signal that aborts when the connection closes before the answer has ended. */
export function departureOf(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
