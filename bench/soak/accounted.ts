/** What a gateway's own budgets count and what is open, from the metrics of its admin port. */
import { gatewayGauges } from '../../src/gateway/gauges.js';
import { serverGauges } from '../../src/server/rpc/gauges.js';
import { metricsOf, seriesOf } from '../gateway-metrics.js';

/** Kept steps, calls with their messages, and running jobs. */
const COUNTED = ['residualBytes', 'inputBytes', 'callBytes', 'workBytes'] as const satisfies readonly (keyof typeof gatewayGauges)[];

/**
 * Bytes that a gateway's budgets count now. Inputs of a training step in flight are counted twice:
 * as its call's, and as kept ones.
 * @param admin host:port of its admin port
 */
export async function accountedBytes(admin: string): Promise<number> {
  const text = await metricsOf(admin);
  return COUNTED.reduce((sum, name) => sum + gauge(text, gatewayGauges[name][0]), 0);
}

/** What is open at a gateway now. */
export interface Open {
  readonly connections: number;
  /** Calls admitted and not yet answered. */
  readonly calls: number;
}

/** Connections and calls that a gateway has now. @param admin host:port of its admin port */
export async function openAt(admin: string): Promise<Open> {
  const text = await metricsOf(admin);
  return { connections: gauge(text, serverGauges.connections[0]), calls: gauge(text, serverGauges.inFlightCalls[0]) };
}

/** A gauge without labels. */
function gauge(text: string, name: string): number {
  const [found] = seriesOf(text, name);
  if (found === undefined) throw new Error(`soak: the gateway's metrics have no ${name}`);
  return found;
}
