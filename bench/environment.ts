/** Where numbers were measured: without that they mean nothing. */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import type { Variant } from '../kernels/kernel.ts';
import { describeAdapter } from '../src/cli/report.ts';
import type { NodeDevice } from '../src/node/device.ts';
import { packageFolder } from '../src/node/files.ts';
import type { Tiles } from '../src/ops/tiles.ts';

export interface Environment {
  readonly date: string;
  /** Outside a git checkout what the variable LLAMAGEN_COMMIT says, if anything. */
  readonly commit: string | undefined;
  /** Whether the checkout differs from that commit. */
  readonly changed: boolean;
  readonly node: string;
  readonly cpu: { readonly model: string; readonly count: number };
  readonly adapter: {
    readonly vendor: string;
    readonly architecture: string;
    readonly device: string;
    readonly description: string;
    readonly software: boolean;
  };
  readonly toggles: readonly string[];
  /** Whether Dawn validates every call. */
  readonly validation?: boolean;
  /** Whether Dawn's bounds checks are in the shaders. */
  readonly robust: boolean;
  readonly features: readonly string[];
  readonly variant: Variant;
  /** Tiles that were tuned or forced. */
  readonly tiles: Tiles;
}

/** Everything about this machine that changes a number, and the version measured. */
export function environmentOf(opened: NodeDevice): Environment {
  const { device, adapter, toggles, validation, software, kernels } = opened;
  const { vendor, architecture, device: name, description } = adapter.info;
  const all = cpus();
  return {
    date: new Date().toISOString(),
    commit: git('rev-parse', 'HEAD') ?? process.env.LLAMAGEN_COMMIT,
    changed: Boolean(git('status', '--porcelain')),
    node: process.version,
    cpu: { model: all[0]?.model.trim() ?? 'unknown', count: all.length },
    adapter: { vendor, architecture, device: name, description, software },
    toggles,
    validation,
    robust: !toggles.some((toggle) => toggle.includes('disable_robustness')),
    features: [...device.features].sort(),
    ...kernels,
  };
}

function git(...args: string[]): string | undefined {
  const { status, stdout } = spawnSync('git', args, { cwd: packageFolder(), encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** What differs between two adapters, as `device "a" became "b"`, or undefined. */
export function adapterDifference(before: Environment, now: Environment): string | undefined {
  const facts = ({ adapter, features, toggles, variant, tiles }: Environment) => ({
    ...adapter,
    features: features.join(' '),
    toggles: toggles.join(' '),
    variant: JSON.stringify(variant),
    tiles: JSON.stringify(tiles),
  });
  const current: Readonly<Record<string, unknown>> = facts(now);
  const changed = Object.entries(facts(before)).find(([name, value]) => current[name] !== value);
  return changed && `${changed[0]} "${changed[1]}" became "${current[changed[0]]}"`;
}

/** The commit, or `unknown`. */
export const versionOf = ({ commit, changed }: Environment): string =>
  commit ? `${commit.slice(0, 12)}${changed ? ' with changes' : ''}` : 'unknown';

/** The lines above all tables. */
export function environmentLines(env: Environment): string[] {
  const { variant, robust, toggles, cpu, node, adapter } = env;
  const halves = variant.f16 ? 'native halves' : 'packed halves';
  return [
    `adapter  ${describeAdapter(adapter, adapter.software)}`,
    `dawn     ${toggles.join(' ')} (bounds checks ${robust ? 'on' : 'off'})`,
    `kernels  reduce: ${variant.reduce}, f16: ${halves}`,
    `machine  ${cpu.count} x ${cpu.model}, Node ${node}`,
    `version  ${versionOf(env)}, ${env.date.slice(0, 10)}`,
  ];
}

/** The name of a file in bench/results: `DATE-ADAPTER-SUITES.json`; without suites, `default`. */
export function resultName(
  { date, adapter }: Pick<Environment, 'date' | 'adapter'>,
  suites: readonly string[],
): string {
  const { vendor, architecture, device, description } = adapter;
  const hardware = device || description || `${vendor} ${architecture}`;
  const name = adapter.software ? architecture : hardware;
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return `${date.slice(0, 10)}-${plain || 'adapter'}-${suites.join('-') || 'default'}.json`;
}
