import type { Attack } from './attack.ts';

/** Requests that name a file, each at another place. */
function requestsFor(id: string) {
  const source = { type: 'file', file_id: id };
  return [
    { type: 'document', source },
    { type: 'image', source },
    { type: 'container_upload', file_id: id },
    { type: 'tool_result', tool_use_id: 't', content: [{ type: 'image', source }] },
  ].map((block) => ({ model: 'claude-sonnet-5-5', max_tokens: 10, messages: [{ role: 'user', content: [block] }] }));
}

/** A caller names a file that another tenant has uploaded under the same upstream key. */
export const foreignFiles: Attack = {
  name: 'foreign-files',
  threat: "another tenant's file is named by its id under a shared upstream key",
  run: async ({ installation, tenant, report }) => {
    // The guard lets through what has no bound, and the tenant sets it itself.
    const caller = await tenant({ name: 'foreign-files', capUsd: '1.00' });
    const spec = { guards: { unboundedRequestUsd: '0.01' }, batches: { mode: 'Allow' }, files: { mode: 'Allow' } };
    const patch = ['-n', 'foreign-files', '--type=merge', '-p'];
    await installation.kubectl('patch', 'claudeworkspace', 'app', ...patch, JSON.stringify({ spec }));
    const tolerance = { spec: { limit: { toleranceUsd: '0.50' } } };
    await installation.kubectl('patch', 'claudebudget', 'cap', ...patch, JSON.stringify(tolerance));
    const workspace = ['claudeworkspace/app', '-n', 'foreign-files'];
    await installation.kubectl('wait', '--for=condition=Programmed', '--timeout=30s', ...workspace);
    await installation.programmed('foreign-files');
    const id = await uploadPast(installation.upstream, caller.team.upstreamKey);
    for (const [index, params] of requestsFor(id).entries()) {
      const batch = { requests: [{ custom_id: 'a', params }] };
      const bodies: [string, object][] = [
        ['/v1/messages', params],
        ['/v1/messages/count_tokens', params],
        ['/v1/messages/batches', batch],
      ];
      for (const [path, body] of bodies) {
        const { status, text } = await caller.send({ path, body: JSON.stringify(body) }, index);
        if (status !== 404 || !text.includes(`has no file \\"${id}\\"`))
          report(`${path} with ${JSON.stringify(params)} was answered ${status} ${text.slice(0, 200)}`);
      }
    }
    for (const path of [`/v1/files/${id}`, `/v1/files/${id}/content`, `/v1/files?page=${id}`]) {
      const { status } = await caller.send({ method: 'GET', path });
      if (status !== 404) report(`${path} was answered ${status}`);
    }
    const listed = await caller.send({ method: 'GET', path: `/v1/files?ids[]=${id}` });
    if (listed.text.includes(id)) report(`the file was listed: ${listed.text.slice(0, 200)}`);
    const { calls } = await installation.owed(caller.team);
    if (calls > 0) report(`${calls} of the requests went upstream`);
  },
};

/** Uploads a file with the upstream key itself, as another workspace with that key would; returns its id. */
async function uploadPast(upstream: string, upstreamKey: string): Promise<string> {
  const body = new FormData();
  body.set('file', new File(['the numbers of another tenant'], 'numbers.txt'));
  const answer = await fetch(`${upstream}/v1/files`, { method: 'POST', headers: { 'x-api-key': upstreamKey }, body });
  return ((await answer.json()) as { id: string }).id;
}
