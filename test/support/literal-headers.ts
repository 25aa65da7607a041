/**
 * An HTTP/2 connection whose first request carries a header list of the test's choice, repeated
 * names included. Node's client refuses to send such a list; here its HEADERS frame is replaced.
 * @see RFC 9113 sec. 4.1 (frames), RFC 7541 sec. 6.2.2 (literal header fields without indexing)
 */
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { Duplex } from 'node:stream';

/** Names and values, in order. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

const PREFACE_BYTES = 24;
const FRAME_HEADER_BYTES = 9;
const HEADERS = 1;

/** A length with a prefix of 7 bits (RFC 7541 sec. 5.1). */
function lengthOf(bytes: number): Buffer {
  if (bytes < 127) return Buffer.of(bytes);
  const parts = [127];
  let rest = bytes - 127;
  for (; rest >= 128; rest >>= 7) parts.push((rest & 127) | 128);
  return Buffer.of(...parts, rest);
}

const literal = (text: string): Buffer => Buffer.concat([lengthOf(Buffer.byteLength(text)), Buffer.from(text)]);

function headersFrame(list: HeaderList, flags: number, streamId: number): Buffer {
  const payload = Buffer.concat(list.flatMap(([name, value]) => [Buffer.of(0), literal(name), literal(value)]));
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(HEADERS, 3);
  header.writeUInt8(flags & ~0x28, 4); // neither padding nor priority
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

/** Sends an empty message with a header list; gives the response's headers and trailers. */
export async function requestWith(address: string, list: HeaderList): Promise<Record<string, unknown>> {
  const [host, port] = address.split(':');
  const socket = connectTcp(Number(port), host);
  let waiting = Buffer.alloc(0);
  let greeted = false;
  const rewriting = new Duplex({
    read: () => socket.resume(),
    write(chunk: Buffer, _encoding, done) {
      waiting = Buffer.concat([waiting, chunk]);
      if (!greeted && waiting.length >= PREFACE_BYTES) {
        socket.write(waiting.subarray(0, PREFACE_BYTES));
        waiting = waiting.subarray(PREFACE_BYTES);
        greeted = true;
      }
      while (greeted && waiting.length >= FRAME_HEADER_BYTES) {
        const length = FRAME_HEADER_BYTES + waiting.readUIntBE(0, 3);
        if (waiting.length < length) break;
        const frame = waiting.subarray(0, length);
        socket.write(frame[3] === HEADERS ? headersFrame(list, frame[4]!, frame.readUInt32BE(5)) : frame);
        waiting = waiting.subarray(length);
      }
      done();
    },
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (chunk: Buffer) => {
    if (!rewriting.push(chunk)) socket.pause();
  });
  socket.on('close', () => rewriting.push(null));
  const session = connectHttp2(`http://${address}`, { createConnection: () => rewriting });
  session.on('error', () => undefined);
  try {
    const stream = session.request({ ':method': 'POST', ':path': '/replaced' });
    let seen: Record<string, unknown> = {};
    const note = (headers: object): void => {
      seen = { ...seen, ...headers };
    };
    stream.on('response', note);
    stream.on('trailers', note);
    stream.on('error', () => undefined);
    stream.resume();
    stream.end(Buffer.alloc(5));
    await new Promise((resolve) => stream.on('close', resolve));
    return seen;
  } finally {
    session.destroy();
  }
}
