import { expect, test } from 'vitest';
import { type Binding, declare, type Kernel } from '../../kernels/kernel.ts';
import { philoxLib } from '../../kernels/sampler/philox.ts';
import { philox } from '../oracle/philox.ts';
import { testDevice } from '../support/device.ts';
import { uniform } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';

const device = await testDevice();

/** Known answers of Random123 (kat_vectors, philox4x32 with 10 rounds). */
const KNOWN = [
  {
    counter: [0, 0, 0, 0],
    key: [0, 0],
    random: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    random: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    random: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
];

/** One invocation per counter. */
function philoxKernel(
  n: number,
): Kernel<{ counter: Binding<'in'>; key: Binding<'in'>; out: Binding<'out'> }> {
  const bindings = {
    counter: { role: 'in', dtype: 'u32', shape: [n, 4], element: 'vec4u' },
    key: { role: 'in', dtype: 'u32', shape: [n, 2], element: 'vec2u' },
    out: { role: 'out', dtype: 'u32', shape: [n, 4], element: 'vec4u' },
  } as const;
  const code = `${declare(bindings)}
${philoxLib}
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3u) { out[group.x] = philox(counter[group.x], key[group.x]); }`;
  return { name: 'philox', params: { n }, label: 'philox', code, bindings, workgroups: [n, 1, 1] };
}

test.each(KNOWN)('the oracle gives the known answer for key $key', ({ counter, key, random }) => {
  expect(philox(counter, key)).toEqual(random);
});

test('the kernel library equals the oracle, bit for bit', async () => {
  const next = uniform(1);
  const words = (n: number) => Array.from({ length: n }, () => Math.floor(next() * 2 ** 32));
  const cases = [
    ...KNOWN,
    ...Array.from({ length: 200 }, () => ({ counter: words(4), key: words(2) })),
  ];
  const { out } = await runKernel(device, philoxKernel(cases.length), {
    counter: cases.flatMap(({ counter }) => counter),
    key: cases.flatMap(({ key }) => key),
  });
  expect([...out!]).toEqual(cases.flatMap(({ counter, key }) => philox(counter, key)));
});
