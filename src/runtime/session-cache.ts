/** The graphs that one worker holds open, least recently used closed first. */
import type { InferenceSession } from 'onnxruntime-node';
import { openSession } from './open-session.js';
import type { WorkerSettings } from './protocol.js';

/** A bounded cache of open graphs, by file name. */
export class SessionCache {
  readonly #settings: WorkerSettings;
  /** By file, or by file and outputs, in order of last use. */
  readonly #sessions = new Map<string, InferenceSession>();

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
  }

  /**
   * The session of a graph, opened on first use. Each choice of outputs has a session.
   * @param outputs those that it computes; by default all
   * @throws CutlayerError INVALID_ARTIFACT when the file is missing or is not a graph that can run,
   *   or its weights lie elsewhere; UNSUPPORTED_OP
   */
  async session(graph: string, outputs?: readonly string[]): Promise<InferenceSession> {
    const key = outputs === undefined ? graph : JSON.stringify([graph, ...outputs]);
    const known = this.#sessions.get(key);
    if (known !== undefined) {
      this.#sessions.delete(key);
      this.#sessions.set(key, known);
      return known;
    }
    const weights = this.#settings.packed.includes(graph) ? 'packed' : 'shared';
    const session = await openSession(this.#settings, graph, { weights, outputs });
    this.#sessions.set(key, session);
    for (const [oldest, evicted] of this.#sessions) {
      if (this.#sessions.size <= this.#settings.maxOpenGraphs) break;
      this.#sessions.delete(oldest);
      await evicted.release();
    }
    return session;
  }

  /** Closes every graph. */
  async close(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of sessions) await session.release();
  }
}
