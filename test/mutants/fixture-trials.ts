/** Two small cases of one kernel, for the test of the judges. */
import { runKernel } from '../support/run-kernel.ts';
import type { Trial, Trials } from './trial.ts';

const LANES = 64;

/** Sums rows of `dim` values, lanes in turn, without reading what is not there. */
const textOf = (dim: number): string => `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
var<workgroup> sums: array<f32, ${LANES}>;
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < ${dim}u; i += ${LANES}u) {
    sum += x[group.x * ${dim}u + i];
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane == 0u) {
    var total = array<f32, 1>();
    var i = ${LANES}u;
    while (i > 0u) {
      i -= 1u;
      total[0] += min(sums[i], 1.0e9 + 1.0);
    }
    out[group.x] = total[0];
  }
}`;

const trial = (rows: number, dim: number): Trial => ({
  kernel: 'sum',
  variant: 'workgroup',
  label: `sum f32[${rows},${dim}]`,
  code: textOf(dim),
  elements: rows * dim,
  limitMs: 5000,
  check: async (device, code) => {
    const x = Array.from({ length: rows * dim }, (_, i) => (i % 7) + 1);
    const bindings = {
      x: { role: 'in', dtype: 'f32', shape: [rows, dim] },
      out: { role: 'out', dtype: 'f32', shape: [rows] },
    } as const;
    const workgroups = [rows, 1, 1] as const;
    const kernel = { name: 'sum', params: {}, label: 'sum', code, bindings, workgroups };
    const { out } = await runKernel(device, kernel, { x });
    for (let row = 0; row < rows; row++) {
      const expected = x.slice(row * dim, (row + 1) * dim).reduce((a, b) => a + b, 0);
      if (out?.[row] !== expected) throw new Error(`row ${row}: ${out?.[row]}, not ${expected}`);
    }
  },
});

export const trials: Trials = () => [trial(3, 200), trial(2, 30)];
