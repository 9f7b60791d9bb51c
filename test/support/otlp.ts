import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Attributes = Record<string, string | number | boolean>;

export interface ReceivedSpan {
  readonly traceId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly isError: boolean;
  readonly resource: Attributes;
}

export interface ReceivedMetric {
  readonly name: string;
  readonly kind: 'gauge' | 'sum' | 'histogram';
  readonly isMonotonic: boolean;
  readonly points: readonly ReceivedPoint[];
  readonly resource: Attributes;
}

export interface ReceivedPoint {
  readonly attributes: Attributes;
  /** Of a histogram: its sum. */
  readonly value: number;
  readonly counts: readonly number[];
  readonly bounds: readonly number[];
}

/** A receiver of OTLP over HTTP, which reads its protobuf by the field numbers of the specification. */
export interface Receiver {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  /** As they were sent last. */
  readonly metrics: Map<string, ReceivedMetric>;
  readonly headers: IncomingHttpHeaders[];
  close(): void;
}

export async function startReceiver(): Promise<Receiver> {
  const [spans, metrics, headers] = [
    [] as ReceivedSpan[],
    new Map<string, ReceivedMetric>(),
    [] as IncomingHttpHeaders[],
  ];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      headers.push(req.headers);
      const message = read(Buffer.concat(chunks));
      if (req.url === '/v1/traces') spans.push(...spansOf(message));
      else if (req.url === '/v1/metrics') for (const metric of metricsOf(message)) metrics.set(metric.name, metric);
      res
        .writeHead(req.url?.startsWith('/v1/') === true ? 200 : 404, { 'content-type': 'application/x-protobuf' })
        .end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, spans, metrics, headers, close: () => server.close().closeAllConnections() };
}

function* spansOf(request: Message): Generator<ReceivedSpan> {
  for (const group of messages(request, 1)) {
    const resource = attributesOf(messages(group, 1)[0], 1);
    for (const scope of messages(group, 2)) {
      for (const span of messages(scope, 2)) {
        yield {
          traceId: bytes(span, 1).toString('hex'),
          parentSpanId: bytes(span, 4).toString('hex'),
          name: bytes(span, 5).toString(),
          startMs: nanos(span, 7),
          endMs: nanos(span, 8),
          attributes: attributesOf(span, 9),
          isError: messages(span, 15).some((status) => status.get(3)?.[0] === 2n),
          resource,
        };
      }
    }
  }
}

const KINDS = { 5: 'gauge', 7: 'sum', 9: 'histogram' } as const;

function* metricsOf(request: Message): Generator<ReceivedMetric> {
  for (const group of messages(request, 1)) {
    const resource = attributesOf(messages(group, 1)[0], 1);
    for (const scope of messages(group, 2)) {
      for (const metric of messages(scope, 2)) {
        for (const [field, kind] of Object.entries(KINDS)) {
          const [data] = messages(metric, Number(field));
          if (data === undefined) continue;
          const points = messages(data, 1).map(kind === 'histogram' ? histogramPoint : numberPoint);
          const isMonotonic = kind === 'sum' && data.get(3)?.[0] === 1n;
          yield { name: bytes(metric, 1).toString(), kind, isMonotonic, points, resource };
        }
      }
    }
  }
}

function numberPoint(point: Message): ReceivedPoint {
  return { attributes: attributesOf(point, 7), value: double(point, 4), counts: [], bounds: [] };
}

function histogramPoint(point: Message): ReceivedPoint {
  const words = (field: number) =>
    (point.get(field) ?? []).flatMap((each) => (typeof each === 'bigint' ? each : eights(each)));
  const counts = words(6).map(Number);
  return { attributes: attributesOf(point, 9), value: double(point, 5), counts, bounds: words(7).map(toDouble) };
}

function attributesOf(message: Message | undefined, field: number): Attributes {
  return Object.fromEntries(
    messages(message ?? new Map(), field).map((pair) => [bytes(pair, 1).toString(), valueOf(messages(pair, 2)[0]!)]),
  );
}

function valueOf(any: Message): string | number | boolean {
  if (any.has(2)) return any.get(2)![0] === 1n;
  if (any.has(3)) return Number(any.get(3)![0]);
  return any.has(4) ? double(any, 4) : bytes(any, 1).toString();
}

/** The fields of a protobuf message: numbers as they are written, all else as bytes. */
type Message = Map<number, (bigint | Buffer)[]>;

function read(buffer: Buffer): Message {
  const message: Message = new Map();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = buffer[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Buffer => buffer.subarray(at, (at += length));
  while (at < buffer.length) {
    const tag = Number(varint());
    const kind = tag & 7;
    const value =
      kind === 0 ? varint() : kind === 1 ? take(8).readBigUInt64LE() : kind === 2 ? take(Number(varint())) : take(4);
    message.set(tag >> 3, [...(message.get(tag >> 3) ?? []), value]);
  }
  return message;
}

function messages(message: Message, field: number): Message[] {
  return (message.get(field) ?? []).map((each) => read(each as Buffer));
}

function bytes(message: Message, field: number): Buffer {
  return (message.get(field)?.[0] as Buffer | undefined) ?? Buffer.alloc(0);
}

function double(message: Message, field: number): number {
  return toDouble((message.get(field)?.[0] as bigint | undefined) ?? 0n);
}

function nanos(message: Message, field: number): number {
  return Number(message.get(field)?.[0] ?? 0n) / 1e6;
}

function toDouble(bits: bigint): number {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(bits);
  return buffer.readDoubleLE();
}

function eights(packed: Buffer): bigint[] {
  return Array.from({ length: packed.length / 8 }, (_, index) => packed.readBigUInt64LE(index * 8));
}
