/** The graphs that one worker holds open, least recently used closed first. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { CutlayerError } from '../errors.js';
import { checkGraph } from './check-graph.js';
import type { WorkerSettings } from './protocol.js';

/** Hides native warnings (a graph's unused constant, say); errors come as exceptions. */
const LOG_FATAL = 4;

/**
 * How every graph is opened, and why:
 * - no prepacking: weights stay mmapped pages of the weights file, shared by all that use it;
 * - no arena, no memory patterns: each would hold the peak memory of every graph and shape;
 * - spinning stops with the run: the two graphs of a step have own threads on the same cores.
 */
function sessionOptions(threads: number): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    enableCpuMemArena: false,
    enableMemPattern: false,
    logSeverityLevel: LOG_FATAL,
    extra: { session: { disable_prepacking: '1', force_spinning_stop: '1' } },
  };
}

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
    const path = join(this.#settings.dir, graph);
    if (!existsSync(path)) {
      throw new CutlayerError('INVALID_ARTIFACT', `${graph}: the graph's file is missing; pack the checkpoint again`);
    }
    checkGraph(await readFile(path), graph, this.#settings.weights);
    const session = await InferenceSession.create(path, sessionOptions(this.#settings.threads)).catch((cause: unknown) => {
      throw new CutlayerError('INVALID_ARTIFACT', `${graph}: the graph or its weights cannot be opened; pack the checkpoint again`, {
        cause,
      });
    });
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
