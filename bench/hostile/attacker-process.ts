/** Starts and ends the process of hostile connections. */
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startNode } from '../../demo/server-process.js';
import type { Kind } from './attacks.js';

/** What the connections of a kind have come to. */
export interface Made {
  connections: number;
  /** Calls that ended with an error's status; those cut with their connection have none. */
  refusedCalls: number;
  endedByServer: number;
}

const LOWEST_PRIORITY = 19;

/** Whom to attack, by how many connections. */
export interface AttackOptions {
  /** host:port of the gateway. */
  readonly address: string;
  readonly caFile: string;
  /** Good for the hostile tenant. */
  readonly token: string;
  readonly connections: number;
}

/** Attackers that are at it. */
export interface Attackers {
  readonly pid: number;
  /** Ends them; gives their counts. @throws when the process has ended before */
  end(): Promise<Record<Kind, Made>>;
}

/**
 * Starts attackers of the lowest priority; resolves when each has opened its first connection, or
 * after half a minute. @throws when the process ends before
 */
export async function startAttackers({ address, caFile, token, connections }: AttackOptions): Promise<Attackers> {
  const script = fileURLToPath(new URL('attackers.js', import.meta.url));
  const child = startNode(script, [address, caFile, token, String(connections)], { stdio: ['pipe', 'pipe', 'inherit'] });
  setPriority(child.pid!, LOWEST_PRIORITY);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('hostile: the attackers ended early; their message is above');
    return value;
  };
  await next();
  return {
    pid: child.pid!,
    async end() {
      const closed = once(child, 'close');
      child.stdin!.end();
      const made = JSON.parse(await next()) as Record<Kind, Made>;
      await closed;
      return made;
    },
  };
}
