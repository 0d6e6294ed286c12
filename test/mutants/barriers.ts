/**
 * Which faults an adapter can show at all: a barrier that is missing changes nothing where all invocations
 * that it holds together run in step, or one after the other in the order that the text needs.
 */
import { runKernel } from '../support/run-kernel.ts';

const LANES = 256;

/** Each invocation reads what one in another subgroup wrote; without a barrier between. */
const code = `
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
var<workgroup> shared_values: array<u32, ${LANES}>;
@compute @workgroup_size(${LANES})
fn main(@builtin(local_invocation_index) lane: u32) {
  shared_values[lane] = lane + 1u;
  out[lane] = shared_values[${LANES - 1}u - lane];
}`;

/** Whether values that were not yet written are seen where a barrier is missing. */
export async function showsMissingBarriers(device: GPUDevice): Promise<boolean> {
  const bindings = { out: { role: 'out', dtype: 'u32', shape: [LANES] } } as const;
  const params = {};
  const kernel = {
    name: 'probe',
    params,
    label: 'probe',
    code,
    bindings,
    workgroups: [1, 1, 1] as const,
  };
  const { out } = await runKernel(device, kernel, {});
  return Array.from(out ?? [], (v, lane) => v !== LANES - lane).includes(true);
}

/** Whether a text's workgroups are more than one subgroup, whose invocations run in step. */
export function spansSubgroups({ adapterInfo }: GPUDevice, text: string): boolean {
  const [, sizes = ''] = /@workgroup_size\(([^)]*)\)/.exec(text) ?? [];
  const invocations = sizes.split(',').reduce((n, size) => n * Number.parseInt(size, 10), 1);
  return invocations > (adapterInfo.subgroupMaxSize ?? Number.POSITIVE_INFINITY);
}
