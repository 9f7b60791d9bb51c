import { type Anthropic, toFile } from '@anthropic-ai/sdk';
import { describe, expect, test } from '@jest/globals';
import { MAX_FILES } from '../../../ledger/stored-files.ts';
import { parseUsd } from '../../../policy/core/money.ts';
import { OWNER } from '../../support/owner.ts';
import { until } from '../../support/until.ts';
import { item, sdk } from './batch-fixture.ts';
import { standIn, useGateways } from './fixture.ts';
import { ask, errorOf, message, type Running } from './harness.ts';
import { budget, type WorkspaceOptions } from './policies.ts';

const env = useGateways();

/** A gateway whose workspace may use files; `rest` goes over its compiled workspace. */
function gateway(rest: WorkspaceOptions['rest'] = {}): Promise<Running> {
  return env.gatewayWith({ rest: { files: 'Allow', batches: 'Allow', ...rest } });
}

const upload = async (client: Anthropic, text = 'the report') =>
  client.beta.files.upload({ file: await toFile(Buffer.from(text), 'report.txt', { type: 'text/plain' }) });

/** A request that has the model read a file, at a place of its body. */
const naming = (content: object) => message({ messages: [{ role: 'user', content: [content] }] });
const document = (id: string) => ({ type: 'document', source: { type: 'file', file_id: id } });

test('a workspace uploads, lists, reads, uses and deletes its files as without a gateway', async () => {
  const here = await gateway();
  const client = sdk(here);
  const [one, two] = [await upload(client), await upload(client, 'another')];
  expect(one).toMatchObject({ type: 'file', filename: 'report.txt', size_bytes: 10 });
  const listed = [];
  for await (const { id } of client.beta.files.list({ limit: 1 })) listed.push(id);
  const older = await ask(here.url, { method: 'GET', path: `/v1/files?after_id=${two.id}` });
  expect(JSON.parse(older.text)).toMatchObject({ data: [one], has_more: false });
  expect(listed).toEqual([two.id, one.id]);
  expect(await client.beta.files.retrieveMetadata(one.id)).toEqual(one);
  expect(await (await client.beta.files.download(one.id)).text()).toBe('the report');
  expect((await ask(here.url, { body: naming(document(one.id)) })).status).toBe(200);
  expect(await client.beta.files.delete(one.id)).toMatchObject({ type: 'file_deleted' });
  await expect(client.beta.files.retrieveMetadata(one.id)).rejects.toMatchObject({ status: 404 });
  expect(errorOf(await ask(here.url, { body: naming(document(one.id)) })).type).toBe('not_found_error');
});

describe('a file of another workspace with the same upstream key', () => {
  test.each<[string, object]>([
    ['an image', { type: 'image', source: { type: 'file', file_id: 'ID' } }],
    ['a document', document('ID')],
    ['an upload for a container', { type: 'container_upload', file_id: 'ID' }],
    ['the document of a result', { type: 'tool_result', tool_use_id: 't', content: [document('ID')] }],
  ])('is not read as %s', async (_, content) => {
    const { id } = await upload(sdk(await gateway()));
    const other = await gateway({ uid: 'uid-of-another', guards: { unboundedRequestNano: 1n } as never });
    const body = naming(content).replaceAll('ID', id);
    const sent = env.upstream.books().open;
    const answers = [await ask(other.url, { body }), await ask(other.url, { body, path: '/v1/messages/count_tokens' })];
    for (const answer of answers) expect(errorOf(answer)).toMatchObject({ type: 'not_found_error' });
    for (const answer of answers) expect(errorOf(answer).message).toContain(`has no file "${id}"`);
    expect(env.upstream.books().open).toBe(sent);
  });

  test.each([
    ['another workspace', { uid: 'uid-of-another' }],
    ['a workspace of a namespace that was made again', { namespaceUid: 'uid-of-another' }],
  ])('is neither listed, read, downloaded nor deleted by %s', async (_, rest) => {
    const { id } = await upload(sdk(await gateway()));
    const client = sdk(await gateway(rest));
    expect((await client.beta.files.list()).data).toEqual([]);
    expect((await client.beta.files.list({ ids: [id] })).data).toEqual([]);
    for (const ask of [
      () => client.beta.files.retrieveMetadata(id),
      () => client.beta.files.download(id),
      () => client.beta.files.delete(id),
      () => client.beta.files.list({ page: id }),
    ]) {
      await expect(ask()).rejects.toMatchObject({ status: 404 });
    }
  });

  test('keeps a batch that names it from going up', async () => {
    const { id } = await upload(sdk(await gateway()));
    const client = sdk(await gateway({ uid: 'uid-of-another' }));
    const messages = [{ role: 'user' as const, content: [document(id)] }] as never;
    const requests = [item('a'), item('b', {}, { messages })];
    await expect(client.messages.batches.create({ requests })).rejects.toMatchObject({ status: 404 });
  });
});

test('a workspace that does not allow files is told so, and nothing goes up', async () => {
  const here = await env.gatewayWith({});
  await expect(upload(sdk(here))).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining('spec.files.mode'),
  });
  for (const path of ['/v1/messages', '/v1/messages/count_tokens']) {
    const answer = await ask(here.url, { path, body: naming(document('file_1')) });
    expect(errorOf(answer)).toMatchObject({
      type: 'policy_blocked',
      message: expect.stringContaining('spec.files.mode'),
    });
  }
});

test('a file that the upstream refuses is refused in its words', async () => {
  const answer = await ask((await gateway()).url, { path: '/v1/files', body: '{}' });
  expect(errorOf(answer)).toMatchObject({ type: 'invalid_request_error', message: 'file: Field required' });
});

test('no workspace fills the ledger with files', async () => {
  const here = await gateway();
  const ids = Array.from({ length: MAX_FILES }, (_, index) => `file_${index}`);
  for (const id of ids) await here.ledger.gateway.addFile(OWNER, id, 0);
  await expect(upload(sdk(here))).rejects.toMatchObject({ message: expect.stringContaining('has 10000 files') });
  await here.ledger.gateway.removeFile(OWNER, 'file_0');
  await upload(sdk(here));
});

describe('a file that code makes in a container of a call', () => {
  const tolerant = budget('daily', '25.00', { toleranceNano: parseUsd('5.00') });
  const guards = { unboundedRequestNano: parseUsd('4.00') } as never;
  const tools = [{ type: 'code_execution_20250825', name: 'code_execution' }];

  const running = (rest: WorkspaceOptions['rest'] = {}) =>
    env.gatewayWith({ budgets: [tolerant], rest: { files: 'Allow', guards, ...rest } });

  /** A file in the upstream's store that no workspace has uploaded. */
  async function madeFile(): Promise<string> {
    const body = new FormData();
    body.set('file', new File(['the chart'], 'chart.png'));
    const headers = { 'x-api-key': 'sk-ant-upstream', 'anthropic-version': '2023-06-01' };
    const answer = await fetch(`${env.upstream.url}/v1/files`, { method: 'POST', headers, body });
    return ((await answer.json()) as { id: string }).id;
  }

  const result = (id: string) => ({
    type: 'bash_code_execution_tool_result',
    tool_use_id: 'srvtoolu_1',
    content: {
      type: 'bash_code_execution_result',
      stdout: '',
      stderr: '',
      return_code: 0,
      content: [{ type: 'bash_code_execution_output', file_id: id }],
    },
  });
  const text = (id: string) => ({ type: 'text', text: JSON.stringify(result(id)) });
  const usage = { input_tokens: 10, output_tokens: 10 };
  const head = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-sonnet-5-5', usage };

  /** The answer with these blocks, in one piece or as a stream. */
  function edge(blocks: readonly object[], isStream: boolean) {
    const whole = { ...head, content: blocks, stop_reason: 'end_turn', stop_sequence: null };
    if (!isStream) return { status: 200, type: 'application/json', body: JSON.stringify(whole) };
    const events = [
      { type: 'message_start', message: { ...head, content: [] } },
      ...blocks.map((content_block, index) => ({ type: 'content_block_start', index, content_block })),
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage },
      { type: 'message_stop' },
    ];
    const body = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
    return { status: 200, type: 'text/event-stream', body };
  }

  async function call(here: Running, blocks: readonly object[], stream: boolean, more: object = { tools }) {
    const answer = await ask(here.url, {
      headers: standIn({ edge: edge(blocks, stream) }),
      body: message({ stream, ...more }),
    });
    expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('file_')]);
  }

  test.each([
    ['whole', false],
    ['streamed', true],
  ])('is fetched by its workspace as the %s answer names it, and by no other', async (_, isStream) => {
    const here = await running();
    const id = await madeFile();
    await expect(sdk(here).beta.files.download(id)).rejects.toMatchObject({ status: 404 });
    await call(here, [text('file_of_nobody'), result(id)], isStream);
    await until(async () => (await here.ledger.gateway.ownsFiles(OWNER, [id]))[0]);
    expect(await (await sdk(here).beta.files.download(id)).text()).toBe('the chart');
    expect((await sdk(here).beta.files.list()).data.map((file) => file.id)).toEqual([id]);
    const other = sdk(await running({ uid: 'uid-of-another' }));
    await expect(other.beta.files.download(id)).rejects.toMatchObject({ status: 404 });
  });

  test.each([
    ['whole', false],
    ['streamed', true],
  ])('is not owned for a name that a model wrote, nor without a tool of Anthropic’s, %s', async (_, isStream) => {
    const here = await running();
    const id = await madeFile();
    const known = await madeFile();
    await call(here, [result(id)], isStream, {});
    await call(
      here,
      [text(id), { ...result(known), content: { ...result(known).content, content: [{ type: 'text', file_id: id }] } }],
      isStream,
    );
    await call(here, [result(known)], isStream);
    await until(async () => (await here.ledger.gateway.ownsFiles(OWNER, [known]))[0]);
    expect(await here.ledger.gateway.ownsFiles(OWNER, [id])).toEqual([false]);
  });

  test('is not owned where the workspace does not allow files', async () => {
    const refusing = await env.gatewayWith({ budgets: [tolerant], rest: { guards } });
    const here = await running();
    const [id, known] = [await madeFile(), await madeFile()];
    await call(refusing, [result(id)], false);
    await call(here, [result(known)], false);
    await until(async () => (await here.ledger.gateway.ownsFiles(OWNER, [known]))[0]);
    expect(await refusing.ledger.gateway.ownsFiles(OWNER, [id])).toEqual([false]);
  });
});
