import type { Attributes, Context } from '@opentelemetry/api';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { Resource } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

export interface CallSpan {
  readonly name: string;
  /** The caller's `traceparent` header; the span joins its trace. */
  readonly traceparent: string | undefined;
  /** Milliseconds since the epoch. */
  readonly started: number;
  readonly ended: number;
  readonly attributes: Attributes;
  /** What went wrong, in one word; null if nothing did. */
  readonly error: string | null;
}

/** Exports a span for each call in batches, and drops spans while the receiver is away. */
export class SpanExporter {
  readonly #provider: TracerProvider;

  constructor(resource: Resource) {
    const spanProcessors = [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })];
    this.#provider = new TracerProvider({ resource, spanProcessors });
  }

  add({ name, traceparent, started, ended, attributes, error }: CallSpan): void {
    const options = { kind: SpanKind.SERVER, startTime: started, attributes };
    const span = this.#provider.getTracer('tollgate').startSpan(name, options, parentOf(traceparent));
    if (error !== null) span.setAttribute('error.type', error).setStatus({ code: SpanStatusCode.ERROR });
    span.end(ended);
  }

  /** Sends the remaining spans. */
  stop(): Promise<void> {
    return this.#provider.shutdown();
  }
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/;

/** W3C Trace Context. A caller that does not sample its trace is not sampled here either. */
function parentOf(traceparent: string | undefined): Context {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  const traceFlags = Number.parseInt(flags ?? '', 16) & TraceFlags.SAMPLED;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}
