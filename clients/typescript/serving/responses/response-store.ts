/** Answers of `/v1/responses` in memory, for the requests that go on from them. */

import { CutlayerError } from '../../../../src/errors.js';
import { shownJson } from '../../data/exact-numbers.js';
import type { ChatMessage } from '../../data/messages.js';

/** An answer with the conversation that it ends. */
export interface StoredResponse {
  readonly response: Readonly<Record<string, unknown>>;
  /** Without instructions, which are of one request. */
  readonly messages: readonly ChatMessage[];
}

interface Entry extends StoredResponse {
  readonly bytes: number;
}

/** The oldest answers make room. Nothing is written to disk, and a restart forgets all. */
export class ResponseStore {
  readonly #entries = new Map<string, Entry>();
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  #bytes = 0;

  constructor({ maxBytes = 64 * 2 ** 20, maxEntries = 1000 } = {}) {
    this.#maxBytes = maxBytes;
    this.#maxEntries = maxEntries;
  }

  put(id: string, stored: StoredResponse): void {
    const bytes = 2 * (shownJson(stored)?.length ?? 0);
    this.#entries.set(id, { ...stored, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes && this.#entries.size <= this.#maxEntries) return;
      this.delete(oldest);
    }
  }

  get(id: string): StoredResponse | undefined {
    return this.#entries.get(id);
  }

  /** @throws CutlayerError NOT_FOUND */
  require(id: string): StoredResponse {
    const found = this.get(id);
    if (found !== undefined) return found;
    throw new CutlayerError('NOT_FOUND', `response: ${id.slice(0, 80)} is not in this process's memory, which keeps the newest ones`);
  }

  /** Whether it was there. */
  delete(id: string): boolean {
    this.#bytes -= this.#entries.get(id)?.bytes ?? 0;
    return this.#entries.delete(id);
  }
}
