/**
 * What the demo reads from the sites' own directories, which no other party can read. It reads
 * events, the verified chain, versions, and how far each round's training moved the adapter. So the
 * demo knows each update without any party sending it.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMember } from '../../clients/typescript/federation/data/read-versions.js';
import { difference } from '../../clients/typescript/federation/federated-adapter.js';
import { TRAINING_FILE } from '../../clients/typescript/federation/local-training.js';
import { MemberStore } from '../../clients/typescript/federation/member-store.js';
import type { ParticipantEvent } from '../../clients/typescript/federation/participant-events.js';
import { CutlayerError } from '../../src/errors.js';
import type { Broadcast } from '../../src/protocol/federation/chain.js';
import { decodeTensors, readTensors } from '../../src/safetensors/tensors-file.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { type SiteName, siteDir, siteNames } from './settings.js';

/** A site's update of a round, before rounding and masking. */
export interface SiteUpdate {
  readonly site: SiteName;
  readonly round: number;
  readonly version: number;
  /** after - before, float32 */
  readonly values: Float32Array;
}

/** Trained parameters of a round, until the version that they started from is known. */
interface Trained {
  readonly site: SiteName;
  readonly round: number;
  readonly version: number;
  readonly parameters: Float32Array;
}

/** A site's events so far. */
export function eventsOf(out: string, site: SiteName): readonly ParticipantEvent[] {
  const file = join(stateDir(out, site), 'log.jsonl');
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as ParticipantEvent);
}

/** The broadcasts that a site has verified; none before it has its state. */
export async function chainOf(out: string, site: SiteName): Promise<readonly Broadcast[]> {
  const found = await readMember(stateDir(out, site)).catch(unlessMissing);
  return found?.broadcasts ?? [];
}

function stateDir(out: string, site: SiteName): string {
  return join(siteDir(out, site), 'state');
}

function unlessMissing(caught: unknown): undefined {
  if (CutlayerError.from(caught).code !== 'NOT_FOUND') throw caught;
}

/** Collects while the federation runs, as sites keep only their newest files. */
export class SiteFiles {
  readonly #out: string;
  readonly #trained = new Map<string, Trained>();
  /** Parameters by version. */
  readonly versions = new Map<number, Float32Array>();

  constructor(out: string) {
    this.#out = out;
  }

  /** Reads what is new. Files that are being replaced are read at the next call. */
  async collect(): Promise<void> {
    for (const site of siteNames) {
      await this.#versionsIn(join(stateDir(this.#out, site), 'versions')).catch(() => undefined);
      await this.#trainingOf(site).catch(unlessMissing);
    }
  }

  /** The updates whose starting version is known. */
  get updates(): readonly SiteUpdate[] {
    return [...this.#trained.values()].flatMap(({ site, round, version, parameters }) => {
      const before = this.versions.get(version);
      return before === undefined ? [] : [{ site, round, version, values: difference(parameters, before) }];
    });
  }

  async #versionsIn(dir: string): Promise<void> {
    if (!existsSync(dir)) return;
    for (const name of readdirSync(dir)) {
      const version = Number(/^v(\d{6,})$/.exec(name)?.[1] ?? Number.NaN);
      if (Number.isNaN(version) || this.versions.has(version)) continue;
      const { tensors } = await readTensors(join(dir, name, 'adapter_model.safetensors'));
      this.versions.set(version, joined([...tensors.values()]));
    }
  }

  async #trainingOf(site: SiteName): Promise<void> {
    const state = MemberStore.readOnly(stateDir(this.#out, site));
    const bytes = state.read(TRAINING_FILE);
    await state.close();
    if (bytes === undefined) return;
    const { tensors, metadata } = decodeTensors(bytes, site);
    if (metadata.get('finished') !== 'true') return;
    const parameters = joined([...tensors].filter(([name]) => name.startsWith('parameter.')).map(([, tensor]) => tensor));
    const [round, version] = [Number(metadata.get('round')), Number(metadata.get('version'))];
    this.#trained.set(`${site} ${round}`, { site, round, version, parameters });
  }
}

function joined(tensors: readonly Tensor[]): Float32Array {
  return Float32Array.from(tensors.flatMap(({ data }) => Array.from(data, Number)));
}
