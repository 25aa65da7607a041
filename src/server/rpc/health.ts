/**
 * Health of the server's services, for orchestrators and balancers, without a token.
 * @see https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
import { EventEmitter, once } from 'node:events';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { CutlayerError } from '../../errors.js';
import { checkLayout, type MessageLayout } from '../../protocol/wire/message-layout.js';
import { loadProto } from '../../protocol/wire/proto.js';
import type { OpenMethod } from './method.js';

/** What a service is at. */
export type ServingStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

const MAX_NAME_BYTES = 256;
const layout: MessageLayout = { 1: { name: 'service', kind: 'string', maxBytes: MAX_NAME_BYTES } };

/** The health of named services; the empty name is the whole server. */
export class Health {
  readonly #statuses: Map<string, ServingStatus>;
  readonly #changes = new EventEmitter().setMaxListeners(0);

  constructor(names: readonly string[]) {
    this.#statuses = new Map(['', ...names].map((name) => [name, 'SERVING']));
  }

  /** Tells every checker and watcher that nothing is served any more. */
  stopServing(): void {
    for (const name of this.#statuses.keys()) this.#statuses.set(name, 'NOT_SERVING');
    this.#changes.emit('change');
  }

  /** The methods, by path. */
  methods(): ReadonlyMap<string, OpenMethod> {
    // The package's file defines this service.
    const { Check, List, Watch } = loadProto('grpc/health/v1/health.proto')['grpc.health.v1.Health'] as ServiceDefinition;
    const asked = (bytes: Buffer): string => {
      checkLayout(bytes, layout, 'request');
      // The generic definition says nothing of its messages; this one has a service's name.
      return (Check!.requestDeserialize(bytes) as { readonly service: string }).service;
    };
    const answer = (status: ServingStatus): Buffer => Check!.responseSerialize({ status });
    const rows: readonly [string, OpenMethod][] = [
      [
        Check!.path,
        {
          kind: 'open',
          watches: false,
          run: (bytes) => {
            const status = this.#statuses.get(asked(bytes));
            if (status === undefined) throw new CutlayerError('NOT_FOUND', 'service: not one of this server');
            return [answer(status)];
          },
        },
      ],
      [
        List!.path,
        {
          kind: 'open',
          watches: false,
          run: () => {
            const statuses = Object.fromEntries([...this.#statuses].map(([name, status]) => [name, { status }]));
            return [List!.responseSerialize({ statuses })];
          },
        },
      ],
      [Watch!.path, { kind: 'open', watches: true, run: (bytes, signal) => this.#watch(asked(bytes), answer, signal) }],
    ];
    return new Map(rows);
  }

  async *#watch(name: string, answer: (status: ServingStatus) => Buffer, signal: AbortSignal): AsyncGenerator<Buffer> {
    for (let told: ServingStatus | undefined; ; ) {
      const status = this.#statuses.get(name) ?? 'SERVICE_UNKNOWN';
      if (status !== told) yield answer(status);
      else await once(this.#changes, 'change', { signal });
      told = status;
    }
  }
}
