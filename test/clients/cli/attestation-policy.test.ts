/** The file of `--attestation-policy`. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readAttestationPolicy } from '../../../clients/typescript/cli/attestation-policy.js';
import { privacyStatement } from '../../../clients/typescript/cli/privacy-statement.js';

describe('--attestation-policy', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-policy-'));
    await writeFile(join(dir, 'keys.json'), JSON.stringify({ keys: [{ kty: 'EC', crv: 'P-384', x: 'a', y: 'b' }] }));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  const read = async (text: string) => {
    await writeFile(join(dir, 'policy.yaml'), text);
    return readAttestationPolicy(join(dir, 'policy.yaml'));
  };
  const mrtd = 'AB'.repeat(48);
  const mrsigner = 'cd'.repeat(32);

  it('is strict where it says nothing: an up-to-date platform, collateral of a month, evidence of a day', async () => {
    assert.deepEqual(await read(`tdx: [{ mrtd: "${mrtd}" }]`), {
      measurements: { tdx: [{ mrtd: mrtd.toLowerCase() }], sgx: [] },
      tcb: ['UpToDate'],
      maxCollateralAgeMs: 30 * 86_400_000,
      maxEvidenceAgeMs: 86_400_000,
      nvidia: undefined,
    });
  });

  it('names what else is allowed, with the keys of a file beside it', async () => {
    const text = [
      `sgx: [{ mrsigner: "${mrsigner}" }]`,
      'tcb: [UpToDate, SWHardeningNeeded]',
      'maxCollateralDays: 7',
      'maxEvidenceHours: 1',
      'nvidia: { jwks: keys.json, issuer: https://nras.attestation.nvidia.com, claims: { hwmodel: GH100 } }',
    ].join('\n');
    const { measurements, tcb, maxCollateralAgeMs, maxEvidenceAgeMs, nvidia } = await read(text);
    assert.deepEqual(measurements, { tdx: [], sgx: [{ mrsigner }] });
    assert.deepEqual([tcb, maxCollateralAgeMs, maxEvidenceAgeMs], [['UpToDate', 'SWHardeningNeeded'], 7 * 86_400_000, 3_600_000]);
    assert.equal(nvidia?.jwks.keys[0]?.kty, 'EC');
    assert.deepEqual(nvidia?.claims, { hwmodel: 'GH100' });
  });

  it('is refused where it would allow any code, or says what nobody reads', async () => {
    const wrong = (text: string, message: RegExp) => assert.rejects(read(text), { code: 'INVALID_CONFIG', message });
    await wrong('{}', /expected measurements under tdx or sgx: without them any code would do/);
    await wrong('tdx: [{}]', /tdx: 0: expected one of mrtd, rtmr0/);
    await wrong('tdx: [{ mrtd: "ab" }]', /tdx: 0: mrtd: expected 96 hexadecimal digits/);
    await wrong(`tdx: [{ mrsigner: "${mrsigner}" }]`, /tdx: 0: .*mrsigner/);
    await wrong(`tdx: [{ mrtd: "${mrtd}" }]\ndebug: true`, /debug/);
    await wrong(`tdx: [{ mrtd: "${mrtd}" }]\ntcb: [Revoked]`, /tcb: 0: /);
    await wrong(`tdx: [{ mrtd: "${mrtd}" }]\ntcb: []`, /tcb: /);
    await wrong(`tdx: [{ mrtd: "${mrtd}" }]\nnvidia: { jwks: policy.yaml, issuer: x }`, /nvidia.jwks .*policy.yaml: keys/);
    await wrong('[', /expected YAML or JSON/);
    await assert.rejects(readAttestationPolicy(join(dir, 'none')), { code: 'NOT_FOUND' });
  });

  it('is what the privacy statement tells of', () => {
    const [day, at] = [86_400_000, Date.parse('2026-03-01T00:00:00Z')];
    const attested = {
      kind: 'tdx',
      measurements: { mrtd: 'ab'.repeat(48) },
      tcb: 'UpToDate',
      collateralIssued: at - 3 * day,
      evidence: 'ef'.repeat(32),
      at,
      nvidia: false,
    } as const;
    const [line] = privacyStatement({ bottom: 0, wire: 'f32', defences: [], audit: undefined, attested });
    assert.equal(
      line,
      `privacy: k = 0; defences: none; attestation: verified (tdx, mrtd ${'ab'.repeat(48)}, TCB UpToDate, collateral 3 days old, ` +
        `evidence sha256 ${'ef'.repeat(32)})`,
    );
  });
});
