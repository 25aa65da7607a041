/**
 * Members' messages as protobuf messages, and as bytes: one codec for the service, its clients, the
 * coordinator's store and a member's files. The same value always gives the same bytes: protobufjs
 * writes fields by number. Decoded byte fields are copies with memory of their own, because
 * received ones are views into a buffer of the connection.
 */
import type { MessageTypeDefinition } from '@grpc/proto-loader';
import { CutlayerError } from '../../errors.js';
import type { Advertisement, Confirmation, RevealedShares, SealedShares, Share } from '../secagg/messages.js';
import { enumName, wirePurposes } from '../wire/federation-names.js';
import type { Advertisement__Output, Advertisement as AdvertisementMessage } from '../wire/generated/cutlayer/v1/Advertisement.js';
import type { Confirmation__Output, Confirmation as ConfirmationMessage } from '../wire/generated/cutlayer/v1/Confirmation.js';
import type { Enlistment__Output, Enlistment as EnlistmentMessage } from '../wire/generated/cutlayer/v1/Enlistment.js';
import type { RevealedShares as RevealedMessage, RevealedShares__Output } from '../wire/generated/cutlayer/v1/RevealedShares.js';
import type { Share__Output } from '../wire/generated/cutlayer/v1/Share.js';
import type { ShareKeysRequest, ShareKeysRequest__Output } from '../wire/generated/cutlayer/v1/ShareKeysRequest.js';
import type { SignedBytes__Output, SignedBytes as SignedMessage } from '../wire/generated/cutlayer/v1/SignedBytes.js';
import { loadMessageType } from '../wire/proto.js';
import type { Enlistment } from './enlistment.js';

/** A value as a message of the federation service, and as that message's bytes. */
export interface MessageCodec<Value, Message, Received> {
  /** The message to send; byte fields are not copied. */
  message(value: Value): Message;
  /**
   * The value of a received message.
   * @param name what to call it in errors
   * @throws CutlayerError INVALID_ARGUMENT when it, or a part of it, is missing or unknown
   */
  value(received: Received | null | undefined, name: string): Value;
  /** The message's bytes. */
  encode(value: Value): Uint8Array;
  /**
   * @throws CutlayerError INVALID_ARGUMENT for bytes that {@link MessageCodec.encode} did not write
   */
  decode(bytes: Uint8Array): Value;
}

const wrong = (field: string, wanted: string): CutlayerError =>
  new CutlayerError('INVALID_ARGUMENT', `${field}: expected ${wanted}`, { details: { field } });

/** A part of a received message that has to be there. @throws CutlayerError INVALID_ARGUMENT */
export function present<T>(value: T | null | undefined, field: string): T {
  if (value === null || value === undefined) throw wrong(field, 'one, got none');
  return value;
}

/** The purpose of a received message. @throws CutlayerError INVALID_ARGUMENT */
export function purposeIn(value: Enlistment__Output['purpose'], field: string): Enlistment['purpose'] {
  const purpose = enumName(wirePurposes, value);
  if (purpose === undefined) throw wrong(field, 'train or evaluate');
  return purpose;
}

const own = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

/** @param type message in federation.proto that `Message` and `Received` were generated from */
function codec<Value, Message extends object, Received>(
  type: string,
  message: (value: Value) => Message,
  value: (received: Received, name: string) => Value,
): MessageCodec<Value, Message, Received> {
  let loaded: MessageTypeDefinition<Message, Received> | undefined;
  const definition = () => {
    loaded ??= loadMessageType<Message, Received>('cutlayer/v1/federation.proto', `cutlayer.v1.${type}`);
    return loaded;
  };
  return {
    message,
    value: (received, name) => value(present(received, name), name),
    encode: (plain) => own(definition().serialize(message(plain))),
    decode(bytes) {
      let received: Received;
      try {
        received = definition().deserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      } catch (cause) {
        throw new CutlayerError('INVALID_ARGUMENT', `${type}: expected a message of this type, got bytes that do not parse`, { cause });
      }
      return value(received, type);
    },
  };
}

const advertisement = codec(
  'Advertisement',
  (value: Advertisement): AdvertisementMessage => value,
  ({ participant, encryptionKey, maskKey, selfMaskCommitment, context, signature }: Advertisement__Output): Advertisement => ({
    participant,
    encryptionKey: own(encryptionKey),
    maskKey: own(maskKey),
    selfMaskCommitment: own(selfMaskCommitment),
    context: own(context),
    signature: own(signature),
  }),
);

/** A member's entry into a round. */
export const enlistmentCodec = codec(
  'Enlistment',
  ({ purpose, ...fields }: Enlistment): EnlistmentMessage => ({ ...fields, purpose: wirePurposes[purpose] }),
  ({ purpose, chainHead, examples, ...received }: Enlistment__Output, name): Enlistment => ({
    purpose: purposeIn(purpose, `${name}.purpose`),
    chainHead,
    examples,
    advertisement: advertisement.value(received.advertisement, `${name}.advertisement`),
  }),
);

/** One member's sealed shares, or those for one member, in the order that is given. */
export const sealedCodec = codec(
  'ShareKeysRequest',
  (shares: readonly SealedShares[]): ShareKeysRequest & { shares: SealedShares[] } => ({ shares: [...shares] }),
  ({ shares }: Pick<ShareKeysRequest__Output, 'shares'>): readonly SealedShares[] =>
    shares.map(({ from, to, ciphertext }) => ({ from, to, ciphertext: own(ciphertext) })),
);

/** A survivor's signature under the list of survivors. */
export const confirmationCodec = codec(
  'Confirmation',
  (value: Confirmation): ConfirmationMessage => ({ ...value, survivors: [...value.survivors] }),
  ({ participant, survivors, signature }: Confirmation__Output): Confirmation => ({ participant, survivors, signature: own(signature) }),
);

const ownShares = (shares: readonly Share__Output[]): Share[] => shares.map(({ owner, share }) => ({ owner, share: own(share) }));

/** The shares that a survivor reveals. */
export const revealedCodec = codec(
  'RevealedShares',
  (value: RevealedShares): RevealedMessage => ({
    ...value,
    maskKeyShares: [...value.maskKeyShares],
    selfMaskShares: [...value.selfMaskShares],
  }),
  ({ participant, maskKeyShares, selfMaskShares, signature }: RevealedShares__Output): RevealedShares => ({
    participant,
    maskKeyShares: ownShares(maskKeyShares),
    selfMaskShares: ownShares(selfMaskShares),
    signature: own(signature),
  }),
);

/** Bytes and their signature: a manifest, or a broadcast. */
export const signedCodec = codec(
  'SignedBytes',
  ({ bytes, signature }: { readonly bytes: Uint8Array; readonly signature: Uint8Array }): SignedMessage => ({ bytes, signature }),
  ({ bytes, signature }: SignedBytes__Output) => ({ bytes: own(bytes), signature: own(signature) }),
);
