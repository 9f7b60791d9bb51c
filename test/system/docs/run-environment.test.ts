import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { assetFolder } from '../../../hack/assets/asset-folder.ts';
import { environment } from '../../../hack/run/environment.ts';

const folder = mkdtempSync(join(tmpdir(), 'tollgate-environment-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('`. .run/env` brings kubectl, and leaves a developer’s own Node in its place', () => {
  const system = {
    kubeconfig: '/kubeconfig',
    gatewayUrls: ['http://127.0.0.1:8080'],
    upstreamUrl: '',
    redisUrl: '',
    logPlace: {},
  };
  writeFileSync(join(folder, 'env'), environment(system));
  symlinkSync('/bin/true', join(folder, 'node'));
  const script = `. ./env; . ./env; command -v node; command -v kubectl; echo "$PATH"`;
  const output = execFileSync('/bin/bash', ['-c', script], {
    cwd: folder,
    env: { PATH: folder, HOME: folder },
    encoding: 'utf8',
  });
  const [node, kubectl, path] = output.trim().split('\n');
  const programs = assetFolder('control_plane');
  expect([node, kubectl]).toEqual([join(folder, 'node'), join(programs, 'kubectl')]);
  expect(path?.split(programs)).toHaveLength(2); // once, however often the file is sourced
});
