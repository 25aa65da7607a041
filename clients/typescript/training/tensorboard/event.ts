/**
 * The part of TensorBoard's Event message that scalar curves need, with its field numbers.
 * @see tensorboard/compat/proto/event.proto, summary.proto
 */
import protobuf from 'protobufjs';

/** An event: the file's version, the start of a session, or scalars of a step. */
export interface ScalarEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step?: number;
  readonly fileVersion?: string;
  readonly summary?: { readonly value: readonly { readonly tag: string; readonly simpleValue: number }[] };
  /** START (1): what earlier files say of this step and those after it no longer holds. */
  readonly sessionLog?: { readonly status: number };
}

/** What the first event of a file says. */
export const FILE_VERSION = 'brain.Event:2';
/** {@link ScalarEvent.sessionLog} status. */
export const SESSION_START = 1;

const schema = protobuf.Root.fromJSON({
  nested: {
    Event: {
      fields: {
        wallTime: { id: 1, type: 'double' },
        step: { id: 2, type: 'int64' },
        fileVersion: { id: 3, type: 'string' },
        summary: { id: 5, type: 'Summary' },
        sessionLog: { id: 7, type: 'SessionLog' },
      },
    },
    Summary: { fields: { value: { id: 1, rule: 'repeated', type: 'Value' } } },
    // In a oneof, a value of 0 is written too.
    Value: {
      oneofs: { value: { oneof: ['simpleValue'] } },
      fields: { tag: { id: 1, type: 'string' }, simpleValue: { id: 2, type: 'float' } },
    },
    SessionLog: { fields: { status: { id: 1, type: 'int32' } } },
  },
});
export const eventType = schema.lookupType('Event');

export function encodeEvent(event: ScalarEvent): Uint8Array {
  return eventType.encode(eventType.fromObject(event)).finish();
}
