import { describe, expect, test } from '@jest/globals';
import { readLogPlace } from '../../../config/log-place.ts';

const ONE =
  'the environment must name one place for the usage log: write either TOLLGATE_DATABASE_URL or TOLLGATE_USAGE_LOG_FOLDER';

describe('the place of the usage log', () => {
  test('is a Postgres or a folder', () => {
    const url = 'postgres://tollgate:hunter2@db.example:5432/tollgate';
    expect(readLogPlace({ TOLLGATE_DATABASE_URL: url })).toEqual({ url });
    expect(readLogPlace({ TOLLGATE_USAGE_LOG_FOLDER: '/data', TOLLGATE_DATABASE_URL: '' })).toEqual({
      folder: '/data',
    });
  });

  test.each([
    [{}, ONE],
    [{ TOLLGATE_DATABASE_URL: 'postgres://db/tollgate', TOLLGATE_USAGE_LOG_FOLDER: '/data' }, ONE],
    [
      { TOLLGATE_DATABASE_URL: 'mysql://root:hunter2@db' },
      'TOLLGATE_DATABASE_URL is not valid: write postgres://user:password@host:port/database',
    ],
    [
      { TOLLGATE_DATABASE_URL: 'postgres://root:hunter2@db/tollgate?sslmode=requires' },
      'TOLLGATE_DATABASE_URL names an unknown sslmode: write disable, allow, prefer, require, verify-ca or verify-full',
    ],
  ])('is refused where it is %j, without the password', (env, sentence) => {
    expect(() => readLogPlace(env)).toThrow(new Error(sentence));
  });
});
