import { describe, expect, test } from '@jest/globals';
import { parseSettings, SettingsInvalid } from '../../../../policy/config/settings.ts';

const least = { host: 'smtp.example.com', from: 'tollgate@example.com' };

function problemOf(parsing: () => unknown): string {
  try {
    parsing();
  } catch (error) {
    return String(error);
  }
  return '';
}

describe('a mail server', () => {
  test('has the usual port of its security', () => {
    const smtp = (rest: object) => parseSettings({ smtp: { ...least, ...rest } }).smtp;
    expect(smtp({})).toEqual({ ...least, port: 587, security: 'StartTLS', username: null });
    expect(smtp({ security: 'TLS', username: 'tollgate' })).toMatchObject({ port: 465, username: 'tollgate' });
    expect(smtp({ security: 'None', port: 2525 })).toMatchObject({ port: 2525 });
    expect(parseSettings({ smtp: null }).smtp).toBeNull();
  });

  test.each([
    [[], ['smtp is not valid: write a mapping']],
    [
      { host: 'smtp://x' },
      [
        'smtp.host is not valid: write a name or an address',
        'smtp.from is not set: write an address such as tollgate@example.com',
      ],
    ],
    [{ from: 't@example.com' }, ['smtp.host is not set: write a name or an address']],
    [
      { ...least, from: 'Tollgate <t@example.com>' },
      ['smtp.from is not valid: write an address such as tollgate@example.com'],
    ],
    [{ ...least, port: 0 }, ['smtp.port is not valid: write a whole number from 1 to 65535']],
    [{ ...least, security: 'ssl' }, ['smtp.security is not valid: write StartTLS, TLS or None']],
    [{ ...least, username: '' }, ['smtp.username is empty: write a text']],
    [
      { ...least, security: 'None', username: 'u' },
      ['smtp has a username and security None, which would send the password in the clear: write StartTLS or TLS'],
    ],
  ])('is refused with what to write (%j)', (smtp, problems) => {
    expect(() => parseSettings({ smtp })).toThrow(new SettingsInvalid(problems));
  });

  test.each([
    { password: 'hunter2' },
    { host: 'smtp://tollgate:hunter2@smtp.example.com' },
    { username: ['hunter2'] },
    { from: 'hunter2' },
    { port: 'hunter2' },
  ])('shows nothing of what was written, which may hold a password (%j)', (wrong) => {
    const problem = problemOf(() => parseSettings({ smtp: { ...least, ...wrong } }));
    expect(problem).toContain('smtp.');
    expect(problem).not.toContain('hunter2');
  });

  test('says where the password belongs', () => {
    expect(problemOf(() => parseSettings({ smtp: { ...least, password: 'hunter2' } }))).toContain(
      'smtp.password is unknown: write only host, port, security, from, username (the password is in TOLLGATE_SMTP_PASSWORD).',
    );
  });
});
