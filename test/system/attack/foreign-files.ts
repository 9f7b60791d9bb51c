import type { Attack } from './attack.ts';

const SOURCE = { type: 'file', file_id: 'file_011CNha8iCJcU1wXNR6q4V8w' };
const REQUESTS = [
  { type: 'document', source: SOURCE },
  { type: 'image', source: SOURCE },
  { type: 'container_upload', file_id: SOURCE.file_id },
  { type: 'tool_result', tool_use_id: 't', content: [{ type: 'image', source: SOURCE }] },
].map((block) => ({ model: 'claude-sonnet-5-5', max_tokens: 10, messages: [{ role: 'user', content: [block] }] }));

/** A caller names a file that another tenant has uploaded under the same upstream key. */
export const foreignFiles: Attack = {
  name: 'foreign-files',
  threat: "another tenant's file is named by its id under a shared upstream key",
  run: async ({ installation, tenant, report }) => {
    // The guard lets through what has no bound, and the tenant sets it itself.
    const caller = await tenant({ name: 'foreign-files', capUsd: '1.00' });
    const spec = { guards: { unboundedRequestUsd: '0.01' }, batches: { mode: 'Allow' } };
    const patch = ['-n', 'foreign-files', '--type=merge', '-p'];
    await installation.kubectl('patch', 'claudeworkspace', 'app', ...patch, JSON.stringify({ spec }));
    const tolerance = { spec: { limit: { toleranceUsd: '0.50' } } };
    await installation.kubectl('patch', 'claudebudget', 'cap', ...patch, JSON.stringify(tolerance));
    const workspace = ['claudeworkspace/app', '-n', 'foreign-files'];
    await installation.kubectl('wait', '--for=condition=Programmed', '--timeout=30s', ...workspace);
    await installation.programmed('foreign-files');
    for (const [index, params] of REQUESTS.entries()) {
      const batch = { requests: [{ custom_id: 'a', params }] };
      for (const [path, body] of [['/v1/messages', params] as const, ['/v1/messages/batches', batch] as const]) {
        const { status, text } = await caller.send({ path, body: JSON.stringify(body) }, index);
        if (status !== 400 || !text.includes('(file_id)'))
          report(`${path} with ${JSON.stringify(params)} was answered ${status} ${text.slice(0, 200)}`);
      }
    }
    for (const path of ['/v1/files', `/v1/files/${SOURCE.file_id}`, `/v1/files/${SOURCE.file_id}/content`]) {
      const { status } = await caller.send({ method: 'GET', path });
      if (status !== 404) report(`${path} was answered ${status}`);
    }
    const { calls } = await installation.owed(caller.team);
    if (calls > 0) report(`${calls} of the requests went upstream`);
  },
};
