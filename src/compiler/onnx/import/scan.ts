/**
 * Reads a model file's structure without its weights. It walks the protobuf field by field and only
 * locates the bytes of initializers. So a model of any size takes the memory of its nodes.
 * @see https://protobuf.dev/programming-guides/encoding/
 */
import { type FileHandle, open } from 'node:fs/promises';
import { CutlayerError } from '../../../errors.js';
import { decodeMessage, type GraphProto, type ModelProto, type TensorProto } from './proto.js';

export interface FileRange {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** An initializer: its message without elements, and their range if the model file holds them. */
export interface ScannedInitializer {
  readonly proto: TensorProto;
  readonly data?: FileRange;
}

export interface ScannedModel {
  readonly path: string;
  readonly model: ModelProto;
  readonly graph: GraphProto;
  readonly initializers: readonly ScannedInitializer[];
}

/** Most bytes of nodes, names and small constants together. */
const MAX_STRUCTURE_BYTES = 256 << 20;
const MAX_INITIALIZERS = 1 << 20;
const WINDOW_BYTES = 1 << 16;

/** Field numbers of `onnx.proto`. */
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
/** `float_data`, `raw_data` and `double_data`: stored as in memory. */
const TENSOR_DATA: ReadonlySet<number> = new Set([4, 9, 10]);

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/**
 * Scans a model file.
 * @throws CutlayerError NOT_FOUND, INVALID_ONNX, LIMIT_EXCEEDED
 */
export async function scanModel(path: string): Promise<ScannedModel> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${path}: no such file`, { cause });
  });
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new CutlayerError('INVALID_ONNX', `${path}: expected an ONNX file, it is no file`);
    return await new Scanner(file, path, found.size).scan();
  } finally {
    await file.close();
  }
}

class Scanner {
  private window: Buffer = Buffer.alloc(0);
  private windowStart = 0;
  private kept = 0;

  constructor(
    private readonly file: FileHandle,
    private readonly path: string,
    private readonly size: number,
  ) {}

  async scan(): Promise<ScannedModel> {
    const model: Buffer[] = [];
    const graph: Buffer[] = [];
    const initializers: ScannedInitializer[] = [];
    let graphs = 0;
    await this.fields(0, this.size, async (field) => {
      if (field.number !== MODEL_GRAPH || field.wire !== BYTES) return void model.push(await this.keep(field.start, field.end));
      graphs++;
      await this.fields(field.body, field.end, async (inner) => {
        if (inner.number !== GRAPH_INITIALIZER || inner.wire !== BYTES) graph.push(await this.keep(inner.start, inner.end));
        else {
          if (initializers.length >= MAX_INITIALIZERS) throw this.tooLarge(`more than ${MAX_INITIALIZERS} initializers`);
          initializers.push(await this.initializer(inner.body, inner.end));
        }
      });
    });
    if (graphs === 0) throw this.damaged('it holds no graph');
    return {
      path: this.path,
      model: decodeMessage('ModelProto', Buffer.concat(model), this.path),
      graph: decodeMessage('GraphProto', Buffer.concat(graph), this.path),
      initializers,
    };
  }

  private async initializer(start: number, end: number): Promise<ScannedInitializer> {
    const parts: Buffer[] = [];
    let data: FileRange | undefined;
    await this.fields(start, end, async (field) => {
      if (!TENSOR_DATA.has(field.number) || field.wire !== BYTES) return void parts.push(await this.keep(field.start, field.end));
      if (data !== undefined) throw this.damaged('an initializer has its elements twice');
      data = { path: this.path, offset: field.body, length: field.end - field.body };
    });
    const proto = decodeMessage('TensorProto', Buffer.concat(parts), this.path);
    return data === undefined ? { proto } : { proto, data };
  }

  private async fields(
    start: number,
    end: number,
    visit: (field: { number: number; wire: number; start: number; body: number; end: number }) => Promise<void>,
  ): Promise<void> {
    for (let at = start; at < end; ) {
      const tag = await this.varint(at);
      const number = Math.floor(tag.value / 8);
      const wire = tag.value % 8;
      let body = tag.next;
      let next = body;
      if (wire === VARINT) next = (await this.varint(body)).next;
      else if (wire === FIXED64) next = body + 8;
      else if (wire === FIXED32) next = body + 4;
      else if (wire === BYTES) {
        const length = await this.varint(body);
        body = length.next;
        next = body + length.value;
      } else throw this.damaged(`byte ${at} begins no field`);
      if (number === 0 || next > end) throw this.damaged(`the field at byte ${at} ends after its message`);
      await visit({ number, wire, start: at, body, end: next });
      at = next;
    }
  }

  private async varint(at: number): Promise<{ readonly value: number; readonly next: number }> {
    let value = 0;
    for (let index = 0; index < 10; index++) {
      const byte = await this.byte(at + index);
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return { value, next: at + index + 1 };
    }
    throw this.damaged(`the number at byte ${at} does not end`);
  }

  private async byte(at: number): Promise<number> {
    if (at >= this.size) throw this.damaged('it ends early');
    if (at < this.windowStart || at >= this.windowStart + this.window.length) {
      this.window = await this.read(at, Math.min(WINDOW_BYTES, this.size - at));
      this.windowStart = at;
    }
    return this.window[at - this.windowStart]!;
  }

  private async keep(start: number, end: number): Promise<Buffer> {
    this.kept += end - start;
    if (this.kept > MAX_STRUCTURE_BYTES)
      throw this.tooLarge(`nodes and constants of more than ${MAX_STRUCTURE_BYTES} bytes; export with external data`);
    return this.read(start, end - start);
  }

  private async read(offset: number, length: number): Promise<Buffer> {
    const inWindow = offset - this.windowStart;
    if (inWindow >= 0 && inWindow + length <= this.window.length) return this.window.subarray(inWindow, inWindow + length);
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.file.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) throw this.damaged('it ends early');
      done += bytesRead;
    }
    return bytes;
  }

  private damaged(what: string): CutlayerError {
    return new CutlayerError('INVALID_ONNX', `${this.path}: expected an ONNX model: ${what}; damaged or another format`);
  }

  private tooLarge(what: string): CutlayerError {
    return new CutlayerError('LIMIT_EXCEEDED', `${this.path}: holds ${what}`);
  }
}
