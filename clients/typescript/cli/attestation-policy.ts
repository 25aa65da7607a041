/** The file of `--attestation-policy`. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { stderr } from '../../../src/files/output.js';
import { parseYaml } from '../../../src/options/yaml-text.js';
import type { AttestationOptions } from '../connection/attestation/attested-clients.js';
import { type AttestationPolicy, sgxRegisters, tcbStatuses, tdxRegisters } from '../connection/attestation/policy.js';

const HOUR_MS = 3_600_000;

/** Registers of a kind: any of them, at least one, in hex. */
function registers<const Name extends string>(names: readonly Name[], bytes: number) {
  const value = z
    .string()
    .regex(new RegExp(`^[0-9A-Fa-f]{${2 * bytes}}$`), `expected ${2 * bytes} hexadecimal digits`)
    .transform((text) => text.toLowerCase());
  const fields = Object.fromEntries(names.map((name) => [name, value.optional()])) as Record<Name, z.ZodOptional<typeof value>>;
  return z.array(z.strictObject(fields).refine((entry) => Object.keys(entry).length > 0, `expected one of ${names.join(', ')} at least`));
}

const schema = z
  .strictObject({
    tdx: registers(tdxRegisters, 48).default([]),
    sgx: registers(sgxRegisters, 32).default([]),
    tcb: z.array(z.enum(tcbStatuses)).min(1).default(['UpToDate']),
    maxCollateralDays: z.number().positive().max(366).default(30),
    maxEvidenceHours: z.number().positive().max(720).default(24),
    nvidia: z
      .strictObject({
        jwks: z.string(),
        issuer: z.string(),
        claims: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
      })
      .optional(),
  })
  .refine(({ tdx, sgx }) => tdx.length + sgx.length > 0, 'expected measurements under tdx or sgx: without them any code would do');

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });

/**
 * What a connection demands.
 * @param file Undefined: nothing
 * @throws as {@link readAttestationPolicy}
 */
export async function attestationOf(file: string | undefined): Promise<AttestationOptions | undefined> {
  if (file === undefined) return undefined;
  let told = false;
  return {
    policy: await readAttestationPolicy(file),
    onAttested({ evidence }) {
      // The first is in the statement of the run.
      if (told) stderr.line(`attestation: verified anew, evidence sha256 ${evidence}`);
      told = true;
    },
  };
}

/** @throws CutlayerError NOT_FOUND, INVALID_CONFIG naming the field */
export async function readAttestationPolicy(file: string): Promise<AttestationPolicy> {
  const what = `--attestation-policy ${file}`;
  const { nvidia, ...policy } = parse(schema, await content(file, what), what);
  const { tdx, sgx, tcb, maxCollateralDays, maxEvidenceHours } = policy;
  return {
    measurements: { tdx: tdx.map(present), sgx: sgx.map(present) },
    tcb,
    maxCollateralAgeMs: maxCollateralDays * 24 * HOUR_MS,
    maxEvidenceAgeMs: maxEvidenceHours * HOUR_MS,
    nvidia: nvidia && { ...nvidia, jwks: await keysOf(resolve(dirname(file), nvidia.jwks)) },
  };
}

async function keysOf(file: string) {
  const what = `--attestation-policy: nvidia.jwks ${file}`;
  return parse(keySet, await content(file, what), what);
}

/** Fields that are there. */
function present<Entry extends object>(entry: Entry): { [Name in keyof Entry]: Exclude<Entry[Name], undefined> } {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Entry]: Exclude<Entry[Name], undefined>;
  };
}

async function content(file: string, what: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new CutlayerError('NOT_FOUND', `${what}: cannot be read (${cause.code ?? 'it failed'})`, { cause });
  });
  try {
    return parseYaml(text);
  } catch (cause) {
    throw new CutlayerError('INVALID_CONFIG', `${what}: expected YAML or JSON: ${(cause as SyntaxError).message}`, { cause });
  }
}

function parse<Schema extends z.ZodType>(expected: Schema, value: unknown, what: string): z.infer<Schema> {
  const result = expected.safeParse(value);
  if (result.success) return result.data;
  const [{ path, message }] = result.error.issues as [z.core.$ZodIssue];
  throw new CutlayerError('INVALID_CONFIG', `${what}: ${[...path, message].join(': ')}; docs/privacy.md has an example`, {
    cause: result.error,
  });
}
