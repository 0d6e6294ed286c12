/** Where and with what a run was made, as people read it. */
import { type AdapterName, describeAdapter } from '../src/cli/report.ts';
import type { Environment } from './environment.ts';

/** The lines above all tables. */
export function environmentLines(env: Environment, name: AdapterName = env.adapter): string[] {
  const { variant, robust, toggles, cpu, node, commit, changed, adapter } = env;
  const halves = variant.f16 ? 'native halves' : 'packed halves';
  const version = commit ? `${commit.slice(0, 12)}${changed ? ' with changes' : ''}` : 'unknown';
  return [
    `adapter  ${describeAdapter(name, adapter.software)}`,
    `dawn     ${toggles.join(' ')} (bounds checks ${robust ? 'on' : 'off'})`,
    `kernels  reduce: ${variant.reduce}, f16: ${halves}`,
    `machine  ${cpu.count} x ${cpu.model}, Node ${node}`,
    `version  ${version}, ${env.date.slice(0, 10)}`,
  ];
}
