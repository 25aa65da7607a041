/** The model card of a gateway, and whether a client bundle fits it. */
import type { SpanKind } from '../../../src/artifacts/manifest.js';
import { CutlayerError } from '../../../src/errors.js';
import { isCurrency, isPrice, type PriceList, pricedNames } from '../../../src/protocol/metering/prices.js';
import type { GetModelResponse__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/GetModelResponse.js';
import { isoDate } from '../../../src/protocol/wire/iso-date.js';
import { type WireDType, wireDTypeNames, wireDTypes } from '../../../src/protocol/wire/wire-dtype.js';
import { type ServedProtection, servedProtection } from './served-protection.js';

/** The adapters that put virtual tokens before the text: a gateway is sent a tensor for each. */
export type VirtualTokenKind = Exclude<SpanKind, 'none'>;

/** The model card. */
export interface ServedModel {
  readonly name: string;
  readonly family: string;
  readonly backboneDigest: string;
  readonly dims: {
    readonly hiddenSize: number;
    /** Blocks of the backbone alone. */
    readonly numLayers: number;
    readonly numHeads: number;
    readonly numKvHeads: number;
    readonly headDim: number;
    readonly maxPositions: number;
  };
  readonly cut: { readonly bottom: number; readonly top: number };
  readonly limits: {
    readonly maxMessageBytes: number;
    readonly maxBatch: number;
    /** Rows of a step: batch x sequence + virtual tokens. */
    readonly maxTokens: number;
    readonly maxVirtualTokens: number;
    readonly maxDeadlineMs: number;
  };
  readonly wireDtypes: readonly WireDType[];
  /** What may go through the backbone beside the text. */
  readonly adapters: readonly VirtualTokenKind[];
  /** Whether the vendor gives out keys and values of real tokens, for a prefix to begin from. */
  readonly prefixInit: boolean;
  /** Rows of the longest decode session, virtual tokens among them; 0: it decodes nothing. */
  readonly maxDecodeRows: number;
  /** The day from which the vendor no longer serves it, `2027-03-01`; undefined: not announced. */
  readonly shutdownDate: string | undefined;
  /** Of counted work; undefined where the vendor states none. */
  readonly prices: PriceList | undefined;
  /** As `maxDecodeRows`, with the rope of long sequences; 0: there are no such sessions. */
  readonly maxLongDecodeRows: number;
  /** Whether it takes rows without padding. */
  readonly packedRows: boolean;
  /** What the vendor allows this tenant. */
  readonly protection: ServedProtection;
}

/** What of a client bundle's manifest has to agree with the card. */
export interface BundleIdentity {
  readonly dir: string;
  readonly backboneDigest: string;
  readonly dims: ServedModel['dims'];
  readonly cut: ServedModel['cut'];
}

/**
 * Parses the answer of GetModel.
 * @throws CutlayerError INVALID_ARGUMENT when parts are missing, or a date is none
 */
export function parseServedModel(answer: GetModelResponse__Output): ServedModel {
  const { dims, cut, limits } = answer;
  if (dims === null || cut === null || limits === null) {
    throw new CutlayerError('INVALID_ARGUMENT', 'the gateway answered GetModel without dims, cut or limits; is it a Cutlayer gateway?');
  }
  const shutdownDate = isoDate(answer.shutdownDate);
  if (shutdownDate === undefined && answer.shutdownDate !== '') {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `shutdown_date of the model card: expected a date such as 2027-03-01, got ${JSON.stringify(answer.shutdownDate.slice(0, 40))}; tell the vendor`,
    );
  }
  return {
    name: answer.name,
    family: answer.family,
    backboneDigest: answer.backboneDigest,
    dims,
    cut,
    limits,
    wireDtypes: wireDTypeNames.filter((name) => answer.wireDtypes.includes(wireDTypes[name].proto)),
    adapters: answer.adapters.flatMap((kind) => virtualTokenKinds[kind] ?? []),
    prefixInit: answer.prefixInit,
    maxDecodeRows: answer.maxDecodeRows,
    shutdownDate,
    prices: pricesOf(answer.prices),
    maxLongDecodeRows: answer.maxLongDecodeRows,
    packedRows: answer.packedRows,
    protection: servedProtection(answer.protection),
  };
}

/** @throws CutlayerError INVALID_ARGUMENT when they are no prices */
function pricesOf(prices: GetModelResponse__Output['prices']): PriceList | undefined {
  if (prices === null) return undefined;
  if (isCurrency(prices.currency) && pricedNames.every((name) => isPrice(prices[name]))) return { ...prices };
  throw new CutlayerError('INVALID_ARGUMENT', 'prices of the model card: expected decimals and a currency; tell the vendor');
}

/** @throws CutlayerError BACKBONE_MISMATCH saying what to do */
export function checkBundle(card: ServedModel, bundle: BundleIdentity, address: string): void {
  if (bundle.backboneDigest !== card.backboneDigest) {
    throw new CutlayerError(
      'BACKBONE_MISMATCH',
      `the client bundle in ${bundle.dir} belongs to backbone ${bundle.backboneDigest.slice(0, 12)}, but the gateway at ${address} serves ` +
        `${card.backboneDigest.slice(0, 12)} (${card.name}); get the client bundle that was packed together with that backbone, ` +
        'or connect to the gateway that serves yours',
      { details: { bundle: bundle.backboneDigest, gateway: card.backboneDigest } },
    );
  }
  const wanted = { ...bundle.dims, bottom: bundle.cut.bottom, top: bundle.cut.top };
  const offered: Readonly<Record<string, number>> = { ...card.dims, ...card.cut };
  for (const [name, value] of Object.entries(wanted)) {
    if (offered[name] === undefined || offered[name] === value) continue;
    throw new CutlayerError(
      'BACKBONE_MISMATCH',
      `${name}: the client bundle in ${bundle.dir} says ${value}, the gateway at ${address} says ${offered[name]}; pack both again`,
    );
  }
}

const virtualTokenKinds: Readonly<Partial<Record<string, VirtualTokenKind>>> = {
  ADAPTER_KIND_SOFT_PROMPT: 'softPrompt',
  ADAPTER_KIND_PREFIX: 'prefix',
};

/**
 * Checks before any work that a gateway can run an adapter's steps.
 * @throws CutlayerError ADAPTER_UNSUPPORTED, LIMIT_EXCEEDED, saying what to do
 */
export function checkAdapter(
  card: Pick<ServedModel, 'name' | 'adapters' | 'limits'>,
  { method, spanKind, numVirtualTokens }: { readonly method: string; readonly spanKind: SpanKind; readonly numVirtualTokens: number },
): void {
  if (spanKind !== 'none' && !card.adapters.includes(spanKind)) {
    const instead = card.adapters.includes('softPrompt')
      ? 'train a soft prompt (prompt-tuning, p-tuning)'
      : 'train what the client holds (lora)';
    const why = spanKind === 'prefix' ? ': it has no inputs for keys and values' : '';
    throw new CutlayerError('ADAPTER_UNSUPPORTED', `${method}: the backbone ${card.name} takes no ${spanKind}${why}; ${instead} instead`, {
      details: { adapter: spanKind },
    });
  }
  const { maxVirtualTokens } = card.limits;
  if (numVirtualTokens > maxVirtualTokens) {
    throw new CutlayerError(
      'LIMIT_EXCEEDED',
      `${method}: ${numVirtualTokens} virtual tokens, the gateway takes at most ${maxVirtualTokens}; use fewer, or ask the vendor for more`,
      { details: { limit: maxVirtualTokens } },
    );
  }
}

/** @throws CutlayerError INVALID_ARGUMENT when the gateway does not take this element type. */
export function checkWireDType(card: ServedModel, dtype: WireDType): void {
  if (card.wireDtypes.includes(dtype)) return;
  throw new CutlayerError('INVALID_ARGUMENT', `wire dtype ${dtype}: the gateway takes ${card.wireDtypes.join(', ')}`);
}
