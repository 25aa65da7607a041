/**
 * The signed manifest of a federation. Its bytes are canonical JSON and its id is their sha256. The
 * id therefore pins every setting, the roster and the coordinator's key. The signature proves that
 * the founder wrote it.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import { parseJson } from '../../files/json-text.js';
import { sign, verify } from '../secagg/signature.js';
import { canonicalBytes } from './canonical-json.js';
import { federationSettingsSchema } from './settings.js';
import { MOST_ROBUST_MEMBERS, needsUpdates } from './strategies/settings.js';

/** A member's name is the tenant of its token. */
const memberName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected 1 to 64 of [A-Za-z0-9._-], a letter or digit first');
/** 32 bytes: a sha256 or a public key. */
export const hex32 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits');

/** A trained tensor of the adapter. */
const parameterSchema = z.strictObject({
  name: z.string().min(1).max(256),
  shape: z
    .array(
      z
        .int()
        .min(1)
        .max(2 ** 31),
    )
    .min(1)
    .max(8),
});

/** Most bytes of a manifest. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

const manifestSchema = z
  .strictObject({
    formatVersion: z.literal(1),
    /** ISO 8601, UTC. */
    createdAt: z.string().min(20).max(32),
    /** Ed25519 key that signs the manifest. */
    founderKey: hex32,
    /** Ed25519 key that signs broadcasts. */
    coordinatorKey: hex32,
    /** sha256 of the backbone's manifest, as client bundles name it. */
    backboneDigest: hex32,
    settings: federationSettingsSchema,
    /** The adapter's trained tensors; an update is their values in this order. */
    parameters: z.array(parameterSchema).min(1).max(4096),
    /** sha256 of version 0, see `parametersDigest`. */
    initialDigest: hex32,
    members: z
      .array(z.strictObject({ name: memberName, publicKey: hex32 }))
      .min(1)
      .max(10_000),
  })
  .superRefine(({ members, settings }, context) => {
    const fail = (path: PropertyKey[], message: string): void => context.addIssue({ code: 'custom', path, message });
    for (const key of ['name', 'publicKey'] as const) {
      if (new Set(members.map((member) => member[key])).size < members.length) fail(['members'], `expected a ${key} once only`);
    }
    if (members.length < settings.cohort.min)
      fail(['members'], `expected at least ${settings.cohort.min} (cohort.min), got ${members.length}`);
    const measuring = settings.evaluation?.minMembers ?? 0;
    if (members.length < measuring) fail(['members'], `expected at least ${measuring} (evaluation.minMembers), got ${members.length}`);
    if (needsUpdates(settings.strategy) && Math.min(members.length, settings.cohort.max ?? members.length) > MOST_ROBUST_MEMBERS)
      fail(
        ['settings', 'cohort', 'max'],
        `expected at most ${MOST_ROBUST_MEMBERS} with ${settings.strategy.kind}, which holds every update at once`,
      );
  });

/** What all parties of a federation have agreed on. */
export type Manifest = Readonly<z.output<typeof manifestSchema>>;

/** A manifest as it travels and is kept. */
export interface SignedManifest {
  /** Canonical JSON, UTF-8. */
  readonly bytes: Uint8Array;
  /** Ed25519 over {@link bytes}, by the founder's key. */
  readonly signature: Uint8Array;
}

/** A checked manifest. */
export interface OpenManifest extends SignedManifest {
  /** The federation's id: sha256 of the bytes, hex. */
  readonly id: string;
  readonly manifest: Manifest;
}

/** Number of values of an update. */
export function updateLength({ parameters }: Pick<Manifest, 'parameters'>): number {
  return parameters.reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1), 0);
}

/** sha256, hex, of parameter values as little-endian float32, one tensor after the other. */
export function parametersDigest(values: Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex');
}

/** The federation's id. */
export function manifestId(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** @throws CutlayerError INVALID_CONFIG naming the first wrong field */
export function signManifest(manifest: unknown, founderPrivateKey: Uint8Array): OpenManifest {
  const parsed = manifestSchema.safeParse(manifest);
  if (!parsed.success) throw new CutlayerError('INVALID_CONFIG', `federation: ${describe(parsed.error)}`);
  const bytes = canonicalBytes(parsed.data);
  return { id: manifestId(bytes), manifest: Object.freeze(parsed.data), bytes, signature: sign(founderPrivateKey, bytes) };
}

/**
 * Checks a manifest that came from elsewhere: its signature, its spelling and every field.
 * @param id The id that the caller pins; none: whatever came (the caller pins it now).
 * @throws CutlayerError MANIFEST_REJECTED
 */
export function openManifest({ bytes, signature }: SignedManifest, id?: string): OpenManifest {
  const own = manifestId(bytes);
  const reject = (why: string, cause?: unknown): CutlayerError =>
    new CutlayerError('MANIFEST_REJECTED', `federation manifest: ${why}`, { cause });
  if (id !== undefined && own !== id)
    throw reject(`expected the one with id ${id}, got ${own}; the coordinator serves another federation than you pinned`);
  if (bytes.length > MAX_MANIFEST_BYTES) throw reject(`expected at most ${MAX_MANIFEST_BYTES} bytes, got ${bytes.length}`);
  let json: unknown;
  try {
    json = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw reject('expected JSON', cause);
  }
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) throw reject(describe(parsed.error));
  const manifest = Object.freeze(parsed.data);
  if (!Buffer.from(canonicalBytes(manifest)).equals(bytes))
    throw reject('expected canonical JSON with every setting of this program version spelled out, and no other');
  if (!verify(Buffer.from(manifest.founderKey, 'hex'), bytes, signature)) throw reject('its signature is not of its founder');
  return { id: own, manifest, bytes, signature };
}

function describe({ issues }: z.ZodError): string {
  const [issue] = issues;
  return `${issue?.path.join('.') || 'manifest'}: ${issue?.message ?? 'invalid'}`;
}
