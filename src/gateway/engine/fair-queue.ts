/**
 * The order of waiting jobs, a pure state: round robin of tenants, weighted by rows.
 *
 * Start-time fair queueing: a job's start tag is the virtual time, or the end of its tenant's last
 * job when that is later. The least start tag goes first, and the virtual time is that of the last
 * job taken. While two tenants both wait, the rows that they got differ by at most one job of each.
 * Within a tenant a higher priority goes first, then the order of arrival.
 *
 * A tenant with more jobs waiting pays double for each. So one that has a step at a time gets two
 * thirds beside one that floods: 1.5 times as long, and not 2. Floods share equally.
 * @see Goyal, Vin, Cheng: Start-time Fair Queuing (SIGCOMM 1996)
 */

/** What the order is made of. */
export interface Turn {
  readonly tenant: string;
  /** Of the job's next run. */
  readonly rows: number;
  /** Higher goes first among jobs of the tenant. */
  readonly priority: number;
}

interface Entry<Job extends Turn> {
  readonly job: Job;
  readonly arrival: number;
}

interface Lane<Job extends Turn> {
  /** By falling priority, then in order of arrival. */
  readonly waiting: Entry<Job>[];
  /** Virtual time at which the tenant's last job ended. */
  end: number;
}

/** The fixed cost of a run, in rows: reading the weights costs about as much as so many rows. */
export const RUN_ROWS = 32;

/** What a run costs its tenant, in rows. */
export const costOf = ({ rows }: Pick<Turn, 'rows'>): number => rows + RUN_ROWS;

/** The price of a row for a tenant that has more jobs waiting. */
const BACKLOG_PRICE = 2;

/** Tenants without a waiting job that are remembered for the time they have used. */
const MAX_RESTING = 1024;

/** Jobs that wait. It has no bound of its own: the scheduler bounds places and bytes. */
export class FairQueue<Job extends Turn> {
  readonly #lanes = new Map<string, Lane<Job>>();
  #virtualTime = 0;
  #arrivals = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Tenants that wait, and resting ones that are remembered. */
  get remembered(): number {
    return this.#lanes.size;
  }

  /** Jobs of a tenant that wait. */
  waitingOf(tenant: string): number {
    return this.#lanes.get(tenant)?.waiting.length ?? 0;
  }

  /** The tenants that wait. */
  tenants(): string[] {
    return [...this.#lanes].filter(([, { waiting }]) => waiting.length > 0).map(([tenant]) => tenant);
  }

  push(job: Job): void {
    this.#insert(job, (other) => other.priority < job.priority);
  }

  /** Puts back a job that was taken and goes on: before others of its tenant and priority. */
  putBack(job: Job): void {
    this.#insert(job, (other) => other.priority <= job.priority);
  }

  /** The job whose turn is next. */
  peek(): Job | undefined {
    return this.#next()?.waiting[0]?.job;
  }

  /** Takes the job whose turn is next, and counts its rows. */
  shift(): Job | undefined {
    const lane = this.#next();
    if (lane === undefined) return undefined;
    const { job } = lane.waiting.shift()!;
    this.#length--;
    this.#virtualTime = this.#startTag(lane);
    lane.end = this.#virtualTime + costOf(job) * (lane.waiting.length > 0 ? BACKLOG_PRICE : 1);
    this.#forgetResting();
    return job;
  }

  /** Whether a job of a tenant, coming now, would have its turn before the next that waits. */
  isAhead(tenant: string): boolean {
    const next = this.#next();
    if (next === undefined) return false;
    return Math.max(this.#virtualTime, this.#lanes.get(tenant)?.end ?? 0) < this.#startTag(next);
  }

  /** Counts time that a tenant used without a job, in rows. */
  charge(tenant: string, rows: number): void {
    const lane = this.#lanes.get(tenant) ?? { waiting: [], end: 0 };
    this.#lanes.set(tenant, lane);
    lane.end = this.#startTag(lane) + rows;
    this.#forgetResting();
  }

  /** Takes a job out without counting it; false when it does not wait. */
  remove(job: Job): boolean {
    const lane = this.#lanes.get(job.tenant);
    const at = lane?.waiting.findIndex((entry) => entry.job === job) ?? -1;
    if (lane === undefined || at === -1) return false;
    lane.waiting.splice(at, 1);
    this.#length--;
    this.#forgetResting();
    return true;
  }

  /** The jobs of a tenant, the one that waits for the least time and counts least first. */
  newestOf(tenant: string): Job[] {
    return (this.#lanes.get(tenant)?.waiting ?? []).map(({ job }) => job).reverse();
  }

  /** Takes every job out, tenant by tenant. */
  clear(): Job[] {
    const jobs = [...this.#lanes.values()].flatMap(({ waiting }) => waiting.map(({ job }) => job));
    this.#lanes.clear();
    this.#length = 0;
    return jobs;
  }

  #insert(job: Job, isBehind: (other: Job) => boolean): void {
    const lane = this.#lanes.get(job.tenant) ?? { waiting: [], end: 0 };
    this.#lanes.set(job.tenant, lane);
    const behind = lane.waiting.findIndex((other) => isBehind(other.job));
    lane.waiting.splice(behind === -1 ? lane.waiting.length : behind, 0, { job, arrival: this.#arrivals++ });
    this.#length++;
  }

  #startTag({ end }: Lane<Job>): number {
    return Math.max(this.#virtualTime, end);
  }

  #next(): Lane<Job> | undefined {
    let next: Lane<Job> | undefined;
    for (const lane of this.#lanes.values()) {
      if (lane.waiting.length > 0 && (next === undefined || this.#isBefore(lane, next))) next = lane;
    }
    return next;
  }

  /** By start tag, then by the smaller end: at a tie a short job does not wait for a long one. */
  #isBefore(lane: Lane<Job>, other: Lane<Job>): boolean {
    const [[tag, end, arrival], [otherTag, otherEnd, otherArrival]] = [this.#order(lane), this.#order(other)];
    if (tag !== otherTag) return tag < otherTag;
    return end === otherEnd ? arrival < otherArrival : end < otherEnd;
  }

  #order(lane: Lane<Job>): readonly [tag: number, end: number, arrival: number] {
    const [{ job, arrival }] = lane.waiting as [Entry<Job>];
    const tag = this.#startTag(lane);
    return [tag, tag + job.rows, arrival];
  }

  /** Forgets resting tenants that owe nothing, and beyond the bound those that owe least. */
  #forgetResting(): void {
    const resting = [...this.#lanes].filter(([, { waiting }]) => waiting.length === 0);
    const owing = resting.filter(([tenant, { end }]) => {
      if (end > this.#virtualTime) return true;
      this.#lanes.delete(tenant);
      return false;
    });
    if (owing.length <= MAX_RESTING) return;
    owing.sort(([, a], [, b]) => a.end - b.end);
    for (const [tenant] of owing.slice(0, owing.length - MAX_RESTING)) this.#lanes.delete(tenant);
  }
}
