/** Quotes are verified down to the maker's root: recorded ones of real hardware, and those of a fake maker with one thing wrong each. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { judge } from '../../../../clients/typescript/connection/attestation/judge.js';
import type { AttestationPolicy } from '../../../../clients/typescript/connection/attestation/policy.js';
import { verifyQuote } from '../../../../clients/typescript/connection/attestation/quote.js';
import { packageRoot } from '../../../../src/files/package-root.js';
import { every, exhaustive } from '../../../support/exhaustive.js';
import { type FakeHardware, fakeHardware, fakeRegisters } from '../../../support/fake-hardware.js';

const recordedAt = Date.parse('2025-06-20T00:00:00Z');
const fixture = (name: string) => readFile(join(packageRoot(), 'test', 'fixtures', 'attestation', name));
const refuses = (work: Promise<unknown>, message: RegExp) => assert.rejects(work, { code: 'ATTESTATION_REJECTED', message });

describe('a recorded quote', () => {
  it('of a TDX machine is verified by the collateral of its time, to the registers that its maker signed', async () => {
    const quote = await verifyQuote(await fixture('tdx-quote.bin'), await fixture('tdx-collateral.json').then(String), { now: recordedAt });
    assert.equal(quote.kind, 'tdx');
    assert.equal(quote.tcb, 'UpToDate');
    assert.equal(
      quote.measurements.mrtd,
      '91eb2b44d141d4ece09f0c75c2c53d247a3c68edd7fafe8a3520c942a604a407de03ae6dc5f87f27428b2538873118b7',
    );
    assert.equal(quote.collateralIssued, Date.parse('2025-06-19T10:16:03Z'));
  });

  it('of an SGX enclave is too, with the state of its platform', async () => {
    const quote = await verifyQuote(await fixture('sgx-quote.bin'), await fixture('sgx-collateral.json').then(String), { now: recordedAt });
    assert.equal(quote.kind, 'sgx');
    assert.equal(quote.tcb, 'ConfigurationAndSWHardeningNeeded');
    assert.equal(quote.measurements.mrenclave, '33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb');
    assert.equal(Buffer.from(quote.reportData.subarray(0, 13)).toString(), 'Hello, world!');
  });

  it('is refused a month later, cut anywhere, or with one bit changed anywhere', async () => {
    const [quote, collateral] = [await fixture('tdx-quote.bin'), String(await fixture('tdx-collateral.json'))];
    const verify = (bytes: Buffer, now = recordedAt) => verifyQuote(bytes, collateral, { now });
    await refuses(verify(quote, recordedAt + 40 * 86_400_000), /_crl: expected a list of|expired/);
    for (const length of every(4, [0, 47, 600, 1000, 4900])) await refuses(verify(quote.subarray(0, length)), /attestation: /);
    for (const at of every(6, [2, 100, 200, 500, 580, 650, 900, 1100])) {
      const changed = Buffer.from(quote);
      changed[at]! ^= 1;
      await refuses(verify(changed), /attestation: /);
    }
  });

  it('is refused with collateral in which one text is changed, empty or of another quote', async () => {
    const quote = await fixture('tdx-quote.bin');
    const collateral = JSON.parse(String(await fixture('tdx-collateral.json'))) as Record<string, string>;
    const other = JSON.parse(String(await fixture('sgx-collateral.json'))) as Record<string, string>;
    const changes: readonly Record<string, string>[] = [
      { tcb_info: collateral.tcb_info!.replace('OutOfDate', 'UpToDate') },
      { qe_identity: collateral.qe_identity!.replace('"isvsvn":4', '"isvsvn":1') },
      { root_ca_crl: '' },
      { pck_crl: '3000' },
      { pck_crl: other.root_ca_crl! },
      { tcb_info: other.tcb_info!, tcb_info_signature: other.tcb_info_signature! },
      { tcb_info_issuer_chain: '' },
    ];
    for (const change of every(5, changes))
      await refuses(verifyQuote(quote, JSON.stringify({ ...collateral, ...change }), { now: recordedAt }), /attestation: /);
    for (const text of ['', 'null', '{}', '[1]', JSON.stringify({ ...collateral, pck_crl: [1, 2] })])
      await refuses(verifyQuote(quote, text, { now: recordedAt }), /attestation: collateral/);
  });
});

describe('a quote of a fake maker', () => {
  const now = Date.parse('2026-03-01T00:00:00Z');
  const bound = Buffer.alloc(64, 7);
  const policy: AttestationPolicy = {
    measurements: { tdx: [fakeRegisters], sgx: [] },
    tcb: ['UpToDate'],
    maxCollateralAgeMs: 10 * 86_400_000,
    maxEvidenceAgeMs: 3_600_000,
    nvidia: undefined,
  };
  let hardware: FakeHardware;
  let collateral: string;
  before(async () => {
    hardware = await fakeHardware(now);
    collateral = await hardware.collateral();
  });
  const verified = (quote = hardware.quote(bound), text = collateral) => verifyQuote(quote, text, { now, root: hardware.root });

  it('is verified under its own root, and under no other', async () => {
    const quote = await verified();
    assert.deepEqual(quote.measurements, fakeRegisters);
    assert.deepEqual(Buffer.from(quote.reportData), bound);
    judge(policy, quote, bound, now);
    await refuses(verifyQuote(hardware.quote(bound), collateral, { now }), /attestation: /);
    await refuses(verifyQuote(hardware.quote(bound), collateral, { now, root: (await fakeHardware(now)).root }), /attestation: /);
  });

  it('is refused in debug mode, on a revoked platform, and by a TDX module of another signer', async () => {
    await refuses(verified(hardware.quote(bound, { debug: true })), /debug: expected off, got on/);
    await refuses(verified(hardware.quote(bound, { tcbSvn: 1 })), /Revoked/);
    await refuses(verified(hardware.quote(bound, { moduleSigner: 1 })), /TDX module: expected Intel's own/);
  });

  it('is refused with revoked certificates, lists of somebody else, lists that have ended, and old or future collateral', async () => {
    const withChange = async (changes: Parameters<FakeHardware['collateral']>[0]) =>
      verified(undefined, await hardware.collateral(changes));
    await refuses(withChange({ revoked: 'processor' }), /certificates: expected none that is revoked, got a revoked one/);
    await refuses(withChange({ revoked: 'tcbSigner' }), /got a revoked one/);
    await refuses(withChange({ foreignLists: true }), /root_ca_crl: expected the signature of its issuer/);
    await refuses(withChange({ listsEnded: true }), /root_ca_crl: expected a list of 2026-03-01/);
    if (exhaustive) {
      await refuses(withChange({ issued: now - 31 * 86_400_000 }), /expired/);
      await refuses(withChange({ issued: now + 86_400_000 }), /in the future/);
    }
    const old = await withChange({ issued: now - 11 * 86_400_000 });
    assert.throws(() => judge(policy, old, bound, now), {
      code: 'ATTESTATION_REJECTED',
      message: /age of the collateral: expected at most 10 days, got 11 days/,
    });
  });

  it('is refused by a policy that names other code, another state or another call, naming what differs', async () => {
    const quote = await verified();
    const judged = (changes: Partial<typeof quote>, other: Partial<AttestationPolicy> = {}, call = bound) =>
      judge({ ...policy, ...other }, { ...quote, ...changes }, call, now);
    const refusesIt = (work: () => void, message: RegExp) => assert.throws(work, { code: 'ATTESTATION_REJECTED', message });
    const other = { measurements: { ...fakeRegisters, rtmr1: 'ff'.repeat(48) } };
    const wanted = new RegExp(`rtmr1: expected ${'b1'.repeat(48)}, got ${'ff'.repeat(48)}; nothing was sent`);
    refusesIt(() => judged(other), wanted);
    judged(other, { measurements: { tdx: [fakeRegisters, { mrtd: fakeRegisters.mrtd }], sgx: [] } });
    const outOfDate = await verified(hardware.quote(bound, { tcbSvn: 3 }));
    refusesIt(() => judged(outOfDate), /TCB status: expected UpToDate, got OutOfDate/);
    judged(outOfDate, { tcb: ['UpToDate', 'OutOfDate'] });
    refusesIt(() => judged({}, {}, Buffer.alloc(64, 8)), /report data: expected a quote for this call/);
    const enclaves = { tdx: [], sgx: [{ mrenclave: 'aa'.repeat(32) }] };
    refusesIt(() => judged({}, { measurements: enclaves }), /hardware: expected a kind/);
  });
});
