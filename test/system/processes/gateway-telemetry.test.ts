import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import { startTelemetry } from '../../../telemetry/start-telemetry.ts';
import { startReceiver } from '../../support/otlp.ts';
import { until } from '../../support/until.ts';
import { ask, message } from '../gateway/harness.ts';
import { budget } from '../gateway/policies.ts';
import { useGatewayProcesses } from './gateway-processes.ts';

const env = useGatewayProcesses();
const { installation } = env;

test('metrics and a span of each call go out by OTLP, and a receiver out of reach delays no call', async () => {
  const receiver = await startReceiver();
  const { start } = await installation({ budgets: [budget('daily', '25.00')] }, {}, env.redis.url, {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-collector-key=sesame',
    OTEL_METRIC_EXPORT_INTERVAL: '500',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
  });
  const { url, child } = await start();
  const [trace, parent] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
  const traceparent = { traceparent: `00-${trace}-${parent}-01` };
  const answer = await ask(url, { headers: { ...traceparent, 'x-tollgate-user': 'ada' } });
  expect((await ask(url, { body: message({ model: 'claude-nobody' }) })).status).toBe(400);
  await until(() => receiver.spans.length === 2, 30_000);
  // A span is made once its call is booked, which may be after the next call.
  const [called, refused] = receiver.spans.toSorted((a, b) => a.startMs - b.startMs);
  expect(called).toMatchObject({
    traceId: trace,
    parentSpanId: parent,
    name: 'chat claude-sonnet-5-5',
    isError: false,
    resource: { 'service.name': 'tollgate-gateway', 'deployment.environment.name': 'test' },
    attributes: {
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.request.model': 'claude-sonnet-5-5',
      'gen_ai.usage.output_tokens': expect.any(Number),
      'http.response.status_code': 200,
      'tollgate.workspace': 'payments/checkout',
      'tollgate.cost_usd': Number(answer.headers['x-tollgate-cost-usd']),
    },
  });
  expect(called!.endMs).toBeGreaterThan(called!.startMs);
  expect(JSON.stringify(called)).not.toContain('ada');
  expect(refused).toMatchObject({
    isError: true,
    attributes: { 'tollgate.refusal': 'ModelUnknown', 'error.type': 'ModelUnknown' },
  });
  // A series is sent with 0 before its first call is booked.
  const cost = await until(() =>
    receiver.metrics.get('tollgate_cost_usd_total')?.points.find(({ value }) => value > 0),
  );
  expect(cost.value).toBeCloseTo(Number(answer.headers['x-tollgate-cost-usd']), 9);
  expect(receiver.metrics.get('tollgate_cost_usd_total')).toMatchObject({ kind: 'sum', isMonotonic: true });
  expect(receiver.metrics.get('tollgate_ledger_up')).toMatchObject({ kind: 'gauge', points: [{ value: 1 }] });
  const added = receiver.metrics.get('tollgate_added_latency_seconds')!.points[0]!;
  expect(added.counts).toHaveLength(added.bounds.length + 1);
  expect(added.counts.reduce((sum, count) => sum + count)).toBe(1);
  expect(receiver.headers.every((headers) => headers['x-collector-key'] === 'sesame')).toBe(true);
  receiver.close();
  expect((await ask(url)).status).toBe(200);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('telemetry is loaded only if it is configured', async () => {
  const options = { service: 'test', version: '0', pod: 'p', clock: Date.now, onProblem: () => undefined };
  expect(await startTelemetry(null, options)).toBeNull();
});
