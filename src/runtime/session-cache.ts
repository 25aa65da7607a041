/** The graphs that one worker holds open, least recently used closed first. */
import type { InferenceSession } from 'onnxruntime-node';
import { openSession } from './open-session.js';
import type { WorkerSettings } from './protocol.js';

/** A bounded cache of open graphs, by file name. */
export class SessionCache {
  readonly #settings: WorkerSettings;
  /** In order of last use. */
  readonly #sessions = new Map<string, InferenceSession>();

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
  }

  /**
   * The session of a graph, opened on first use.
   * @throws CutlayerError INVALID_ARTIFACT when the file is missing or is not a graph that can run,
   *   or its weights lie elsewhere; UNSUPPORTED_OP
   */
  async session(graph: string): Promise<InferenceSession> {
    const known = this.#sessions.get(graph);
    if (known !== undefined) {
      this.#sessions.delete(graph);
      this.#sessions.set(graph, known);
      return known;
    }
    const session = await openSession(this.#settings, graph, this.#settings.packed.includes(graph) ? 'packed' : 'shared');
    this.#sessions.set(graph, session);
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
