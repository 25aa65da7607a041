/** What a run says of privacy before it sends a row: the cut, what is on, and what was measured. */
import { exposureAt } from '../../../src/artifacts/exposure.js';
import type { WireDType } from '../../../src/protocol/wire/wire-dtype.js';
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
}

/** Two lines. */
export function privacyStatement({ bottom, wire, defences, audit }: StatedPrivacy): readonly string[] {
  const texts = defenceTexts(defences);
  const state = `privacy: k = ${bottom}; defences: ${listed(texts)}; attestation: none`;
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
