/** Digests of weights: of every byte, whatever pieces they come in. */
import { describe, expect, test } from 'vitest';
import { WeightsDigest } from '../../src/weights/digest.ts';

const bytes = (length: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length }, (_, i) => i * 37 + 11);

/** The digest of one tensor that comes in pieces of these lengths, and the rest in one. */
function digestIn(data: Uint8Array<ArrayBuffer>, ...lengths: readonly number[]): Promise<string> {
  const digest = new WeightsDigest();
  let at = 0;
  for (const length of [...lengths, data.byteLength]) {
    digest.add('w', 'F16', data.subarray(at, at + length));
    at = Math.min(data.byteLength, at + length);
  }
  return digest.digest();
}

describe('the digest of a tensor', () => {
  test('does not depend on the pieces it comes in', async () => {
    const data = bytes(1000);
    const whole = await digestIn(data);
    for (const pieces of [[1], [16], [15, 1], [15, 2, 500], [3, 5, 7, 333], Array(999).fill(1)]) {
      expect(await digestIn(data, ...pieces), pieces.slice(0, 9).join()).toBe(whole);
    }
    // Begins at an odd address.
    const shifted = new Uint8Array(1001);
    shifted.set(data, 1);
    expect(await digestIn(shifted.subarray(1), 7)).toBe(whole);
  });

  test.each([1, 15, 16, 17, 40])(
    'depends on each of its %d bytes and on their number',
    async (n) => {
      const data = bytes(n);
      const seen = new Set([await digestIn(data), await digestIn(bytes(n - 1))]);
      for (let i = 0; i < n; i++) {
        const other = data.slice();
        other[i] = (other[i] ?? 0) ^ 1;
        seen.add(await digestIn(other));
      }
      seen.add(await digestIn(Uint8Array.from([...data, 0])));
      expect(seen.size).toBe(n + 3);
    },
  );
});

describe('the digest of weights', () => {
  const digestOf = (...tensors: readonly [string, string, Uint8Array<ArrayBuffer>][]) => {
    const digest = new WeightsDigest();
    for (const tensor of tensors) digest.add(...tensor);
    return digest.digest();
  };
  const [a, b] = [bytes(32), bytes(48)];

  test('depends on names and dtypes, not on their order', async () => {
    const one = await digestOf(['a', 'F32', a], ['b', 'F32', b]);
    expect(await digestOf(['b', 'F32', b], ['a', 'F32', a])).toBe(one);
    expect(await digestOf(['a', 'F32', b], ['b', 'F32', a])).not.toBe(one);
    expect(await digestOf(['a', 'F16', a], ['b', 'F32', b])).not.toBe(one);
    expect(one).toMatch(/^[0-9a-f]{16}$/);
  });

  test('leaves out what pictures do not depend on', async () => {
    const one = await digestOf(['decoder.w', 'F32', a]);
    const with_ = (name: string) => digestOf(['decoder.w', 'F32', a], [name, 'F32', b]);
    for (const name of ['encoder.conv_in.weight', 'quant_conv.bias', 'freqs_cis']) {
      expect(await with_(name), name).toBe(one);
    }
    expect(await with_('post_quant_conv.bias')).not.toBe(one);
  });
});
