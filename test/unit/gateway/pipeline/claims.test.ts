import { describe, expect, test } from '@jest/globals';
import { claimedByHeaders } from '../../../../gateway/pipeline/claims.ts';
import { workspaceOf } from '../../policy/admit/planned.ts';

const workspace = workspaceOf();

/** What a caller claims with a header of these bytes, which Node reads as Latin-1. */
const claimed = (bytes: Buffer) => claimedByHeaders({ 'x-tollgate-customer': bytes.toString('latin1') }, workspace);
const customerOf = (bytes: Buffer) => {
  const attributes = claimed(bytes);
  return attributes.ok ? attributes.value['customer'] : attributes.error.reason;
};

describe('a claimed attribute', () => {
  test('is one customer however its name is encoded or composed', () => {
    const ways = [Buffer.from('M\u00fcller'), Buffer.from('Mu\u0308ller'), Buffer.from('M\u00fcller', 'latin1')];
    expect(ways.map(customerOf)).toEqual(['M\u00fcller', 'M\u00fcller', 'M\u00fcller']);
  });

  test.each<[string, Buffer]>([
    ['a control of Latin-1', Buffer.from([0x61, 0x9b, 0x62])],
    ['a control in UTF-8', Buffer.from('a\u0085b')],
    ['a bidi override', Buffer.from('a\u202eb')],
    ['a zero-width joiner', Buffer.from('a\u200db')],
    ['a surrogate in UTF-8', Buffer.from([0x61, 0xed, 0xa0, 0x80])],
    ['an overlong letter', Buffer.from([0xc1, 0x81])],
    ['257 bytes', Buffer.from('a'.repeat(257))],
    ['256 characters that take 2 bytes each', Buffer.from('\u00fc'.repeat(256), 'latin1')],
  ])('with %s is refused', (_, bytes) => {
    expect(customerOf(bytes)).toBe('AttributeInvalid');
  });

  test('may have 256 bytes', () => {
    expect(customerOf(Buffer.from('\u00fc'.repeat(128)))).toBe('\u00fc'.repeat(128));
  });
});
