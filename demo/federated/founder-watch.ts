/** What the coordinator tells the founder while the demo runs: aborted rounds, awaited members. */
import { allReports, type FounderConnection, openFounderConnection } from '../../src/commands/coordinator/founder-connection.js';
import type { FederationReport, RoundEnding } from '../../src/coordinator/coordinator-api.js';
import { runProcess } from '../processes.js';

/** Between two looks. */
const EVERY_MS = 1000;

export class FounderWatch {
  readonly #connection: FounderConnection;
  readonly #stateDir: string;
  #looked = Number.NEGATIVE_INFINITY;
  #ended = 0;

  private constructor(connection: FounderConnection, stateDir: string) {
    this.#connection = connection;
    this.#stateDir = stateDir;
  }

  /** On the coordinator's own machine. */
  static async open(stateDir: string): Promise<FounderWatch> {
    return new FounderWatch(await openFounderConnection({ stateDir, insecure: false, json: true }), stateDir);
  }

  /**
   * The federation and what was aborted since the last look; undefined: it was looked at lately.
   */
  async look(): Promise<{ readonly report: FederationReport; readonly aborted: readonly RoundEnding[] } | undefined> {
    if (performance.now() - this.#looked < EVERY_MS) return undefined;
    this.#looked = performance.now();
    const [report] = await allReports(this.#connection);
    if (report === undefined) return undefined;
    const news = report.recent.filter(({ round }) => round > this.#ended).reverse();
    this.#ended = news.at(-1)?.round ?? this.#ended;
    return { report, aborted: news.filter(({ aborted }) => aborted !== null) };
  }

  /** The order of the founder that lets the round go on without a site. */
  async skip(site: string): Promise<void> {
    await runProcess('cutlayer', ['coordinator', 'skip', site, '--state-dir', this.#stateDir]);
  }

  close(): void {
    this.#connection.close();
  }
}
