/** Where numbers were measured: without that they mean nothing. */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import type { Variant } from '../kernels/kernel.ts';
import { variantOf } from '../src/index.ts';
import type { NodeDevice } from '../src/node/device.ts';
import { packageFolder } from '../src/node/files.ts';

export interface Environment {
  readonly date: string;
  /** Undefined outside a git checkout. */
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
  /** Whether Dawn's bounds checks are in the shaders. */
  readonly robust: boolean;
  readonly features: readonly string[];
  readonly variant: Variant;
}

/** Everything about this machine that changes a number, and the version measured. */
export function environmentOf({ device, adapter, toggles, software }: NodeDevice): Environment {
  const { vendor, architecture, device: name, description } = adapter.info;
  const all = cpus();
  return {
    date: new Date().toISOString(),
    commit: git('rev-parse', 'HEAD'),
    changed: git('status', '--porcelain') !== '',
    node: process.version,
    cpu: { model: all[0]?.model.trim() ?? 'unknown', count: all.length },
    adapter: { vendor, architecture, device: name, description, software },
    toggles,
    robust: !toggles.some((toggle) => toggle.includes('disable_robustness')),
    features: [...device.features].sort(),
    variant: variantOf(device),
  };
}

function git(...args: string[]): string | undefined {
  const { status, stdout } = spawnSync('git', args, { cwd: packageFolder(), encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}
