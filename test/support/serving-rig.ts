/** A local endpoint over a gateway of this process, and OpenAI's own client for it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { ClientBundle, connect, type Defences, RemoteModel, SplitModel } from '../../clients/typescript/index.js';
import { type Serving, type ServingOptions, startServing } from '../../clients/typescript/serving/serving.js';
import { type GatewayHere, startGatewayHere } from './gateway-here.js';
import { type PackedFixture, packedFixture } from './packed-fixture.js';

/** What runs. */
export interface ServingRig {
  readonly dir: string;
  readonly gateway: GatewayHere;
  readonly bundle: ClientBundle;
  readonly model: SplitModel;
  readonly serving: Serving;
  readonly key: string;
  /** OpenAI's client, without repetitions of its own. */
  readonly openai: OpenAI;
  /** A raw request with the key. */
  ask(path: string, init?: RequestInit): Promise<Response>;
  close(): Promise<void>;
}

/** How to start one. */
export interface RigOptions {
  /** Artifacts; by default those of llama-tiny. */
  readonly fixture?: PackedFixture;
  /** Where the client connects; by default the gateway itself. */
  readonly through?: (gateway: string) => Promise<string>;
  readonly serving?: Partial<ServingOptions>;
  readonly defences?: Defences;
}

/** @param serving Options beside the rig's own. */
export async function startServingRig({ fixture, through, serving: more = {}, defences }: RigOptions = {}): Promise<ServingRig> {
  const dir = await mkdtemp(join(tmpdir(), 'cutlayer-serving-'));
  const { backboneDir, bundleDir } = fixture ?? (await packedFixture('llama-tiny'));
  const gateway = await startGatewayHere({ backboneDir, insecure: true });
  const bundle = await ClientBundle.open(bundleDir, { threads: 1 });
  const address = (await through?.(gateway.address)) ?? gateway.address;
  const connection = await connect({ address, insecure: true, token: await gateway.token('acme'), retry: { retryForMs: 300 } });
  const model = new SplitModel(bundle, new RemoteModel(connection), undefined, defences);
  const serving = await startServing({ ...servingDefaults, keyFile: join(dir, 'api-key'), model, ...more });
  const key = (await readFile(join(dir, 'api-key'), 'utf8').catch(() => '')).trim();
  return {
    dir,
    gateway,
    bundle,
    model,
    serving,
    key,
    openai: new OpenAI({ baseURL: `${serving.url}/v1`, apiKey: key, maxRetries: 0 }),
    ask: (path, init = {}) =>
      fetch(`${serving.url}${path}`, { ...init, headers: { authorization: `Bearer ${key}`, ...(init.headers as Record<string, string>) } }),
    async close() {
      await serving.close(1000);
      connection.close();
      await bundle.close();
      await gateway.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const servingDefaults: Omit<ServingOptions, 'model' | 'keyFile'> = {
  host: '127.0.0.1',
  port: 0,
  baseName: 'base',
  adapters: [],
  hosts: [],
  origins: [],
  maxRunning: 4,
  maxWaiting: 4,
  maxBody: 1_000_000,
  maxNewTokens: 16,
};
