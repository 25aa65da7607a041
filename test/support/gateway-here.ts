/**
 * A gateway in the test's own process, for tests of its clients: it answers as one in a process of
 * its own does (gateway-process.ts), and starts in a fraction of the processor time.
 */
import { startTestGateway } from './test-gateway.js';

/** How to start a gateway. */
export interface GatewayHereOptions {
  readonly backboneDir: string;
  readonly insecure?: boolean;
  /** Keys and certificates; one of its own by default, removed by `stop`. */
  readonly stateDir?: string;
  /** More options of `gateway start`, in camelCase. */
  readonly start?: Readonly<Record<string, unknown>>;
}

/** A gateway that answers. */
export interface GatewayHere {
  /** `host:port` of gRPC. */
  readonly address: string;
  readonly caFile: string | undefined;
  readonly stateDir: string;
  /** A token of the embedded issuer. */
  token(tenant: string): Promise<string>;
  /** Ends it and removes a state directory of its own. */
  stop(): Promise<void>;
}

/** Starts a gateway; resolves when it answers. */
export async function startGatewayHere({ backboneDir, insecure, stateDir, start }: GatewayHereOptions): Promise<GatewayHere> {
  const given = { ...start, ...(insecure !== undefined && { insecure }), ...(stateDir !== undefined && { stateDir }) };
  const running = await startTestGateway({ backboneDir, start: given });
  return {
    address: running.gateway.listen,
    caFile: running.gateway.caFile,
    stateDir: running.stateDir,
    token: (tenant) => running.token({ tenant }),
    stop: () => running.close(),
  };
}
