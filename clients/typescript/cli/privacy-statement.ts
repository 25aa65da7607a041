/** What a run says of privacy before it sends a row: the cut, what is on, and what was measured. */
import { exposureAt } from '../../../src/artifacts/exposure.js';
import type { WireDType } from '../../../src/protocol/wire/wire-dtype.js';
import type { Attested } from '../connection/attestation/policy.js';
import type { RecordedDefence } from '../defences/defence.js';
import { defenceTexts, type LastAudit } from './audit/last-audit.js';
import { percent } from './text-layout.js';

/** What the statement is about. */
export interface StatedPrivacy {
  /** Blocks that the client holds below the backbone. */
  readonly bottom: number;
  readonly wire: WireDType;
  readonly defences: readonly RecordedDefence[];
  readonly audit: LastAudit | undefined;
  /** Undefined: nothing was demanded of the gateway's code. */
  readonly attested: Attested | undefined;
}

/** Two lines. */
export function privacyStatement({ bottom, wire, defences, audit, attested }: StatedPrivacy): readonly string[] {
  const texts = defenceTexts(defences);
  const state = `privacy: k = ${bottom}; defences: ${listed(texts)}; attestation: ${attested === undefined ? 'none' : attestationText(attested)}`;
  if (audit === undefined)
    return [
      state,
      `privacy: ${exposureAt(bottom)} No audit of this model is kept here: cutlayer client audit measures what an adversarial vendor could infer.`,
    ];
  const figures = audit.figures.map(({ metric, value, by }) => `${metric} ${percent(value)} (${by})`).join(', ');
  const other = audit.wire !== wire || listed(audit.defences) !== listed(texts);
  const settings = other ? `, at other settings (wire ${audit.wire}, defences: ${listed(audit.defences)})` : '';
  return [
    state,
    `privacy: what an adversarial vendor could infer, by the audit of ${audit.day} (suite ${audit.suite}, ${audit.records} records` +
      `${audit.answered ? '' : ', offline'})${settings}: ${figures || 'no figure'}. Another attacker may infer more.`,
  ];
}

const listed = (texts: readonly string[]): string => (texts.length === 0 ? 'none' : texts.join(', '));

/** One line, as `verified (tdx, mrtd 91eb…, TCB UpToDate, …)`. */
export function attestationText({ kind, measurements, tcb, collateralIssued, evidence, at, nvidia }: Attested): string {
  const code = measurements.mrtd === undefined ? `mrenclave ${measurements.mrenclave}` : `mrtd ${measurements.mrtd}`;
  const days = Math.floor((at - collateralIssued) / 86_400_000);
  return (
    `verified (${kind}, ${code}, TCB ${tcb}, collateral ${days} ${days === 1 ? 'day' : 'days'} old` +
    `${nvidia ? ', with an NVIDIA token' : ''}, evidence sha256 ${evidence})`
  );
}
