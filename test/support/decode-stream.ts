/** A decode stream as any gRPC client has it: a message out, its answer in. */
import type { ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import type { DecodeClient } from '../../src/protocol/wire/generated/cutlayer/v1/Decode.js';
import type { DecodeRequest } from '../../src/protocol/wire/generated/cutlayer/v1/DecodeRequest.js';
import type { DecodeResponse__Output } from '../../src/protocol/wire/generated/cutlayer/v1/DecodeResponse.js';
import { fromServiceError } from '../../src/protocol/wire/status.js';

/** One stream. */
export interface TestDecodeStream {
  readonly call: ClientDuplexStream<DecodeRequest, DecodeResponse__Output>;
  /** Sends a message; gives its answer. @throws CutlayerError what the stream ends with */
  ask(request: DecodeRequest): Promise<DecodeResponse__Output>;
  /** Ends the client's side; resolves when the stream has ended. @throws CutlayerError */
  end(): Promise<void>;
}

/** Opens a stream. */
export function openDecodeStream(client: DecodeClient, metadata: Metadata, deadlineMs = 60_000): TestDecodeStream {
  const call = client.Decode(metadata, { deadline: Date.now() + deadlineMs });
  const waiting: { resolve: (answer: DecodeResponse__Output) => void; reject: (error: unknown) => void }[] = [];
  const over = new Promise<void>((resolve, reject) => {
    call.on('data', (answer: DecodeResponse__Output) => waiting.shift()?.resolve(answer));
    call.on('error', (error) => {
      const failure = fromServiceError(error);
      for (const one of waiting.splice(0)) one.reject(failure);
      reject(failure);
    });
    call.on('end', resolve);
  });
  over.catch(() => undefined);
  return {
    call,
    ask: (request) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        over.catch(reject);
        call.write(request);
      }),
    async end() {
      call.end();
      await over;
    },
  };
}
