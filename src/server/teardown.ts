/** Closes what a server has opened. */

/** Steps that close what was opened, run in the reverse order. */
export class Teardown {
  readonly #steps: (() => Promise<unknown>)[] = [];

  add(step: () => Promise<unknown>): void {
    this.#steps.push(step);
  }

  /** Runs all steps; then throws the first failure. */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) await step().catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}
