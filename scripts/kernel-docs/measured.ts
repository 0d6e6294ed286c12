/** What was measured of kernels by themselves: files of the bench's suite `kernels`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KernelResult } from '../../bench/kernels/measure.ts';
import { packageFolder } from '../../src/node/files.ts';

interface Machine {
  readonly name: string;
  /** In `bench/results`. */
  readonly file: string;
  /** What of a graph's kernels is shown: those of a step, or of an image. */
  readonly uses: readonly string[];
  /** Kernels that have another name since, by how their labels begin. */
  readonly named?: Readonly<Record<string, string>>;
}

export const MACHINES: readonly Machine[] = [
  {
    name: 'NVIDIA H200',
    file: '2026-11-27-nvidia-h200-kernels.json',
    uses: ['GPT-B 2 rows', 'GPT-B 16 rows'],
  },
  {
    name: 'SwiftShader, 2 cores',
    file: '2026-11-25-swiftshader-default.json',
    uses: ['GPT-B 2 rows', 'GPT-B 16 rows', 'VQ-16 16x16'],
    named: { 'conv2d 3x3': 'conv_direct' },
  },
];

export interface Measured {
  readonly machine: string;
  readonly kernel: string;
  /** `2026-11-27, b8909a2`. */
  readonly when: string;
  readonly result: Pick<KernelResult, 'use' | 'label' | 'us' | 'share' | 'bound'>;
}

interface BenchFile {
  readonly date: string;
  readonly commit: string;
  readonly results: { readonly kernels: { readonly kernels: readonly KernelResult[] } };
}

const ALL: readonly Measured[] = MACHINES.flatMap(({ name, file, uses, named = {} }) => {
  const path = join(packageFolder(), 'bench/results', file);
  const { date, commit, results } = JSON.parse(readFileSync(path, 'utf8')) as BenchFile;
  const when = `${date.slice(0, 10)}, ${commit.slice(0, 7)}`;
  return results.kernels.kernels
    .filter(({ use }) => uses.includes(use))
    .map((result) => {
      const [first = '', second = ''] = result.label.split(' ');
      return { machine: name, kernel: named[`${first} ${second}`] ?? first, when, result };
    });
});

/** Most of one use: those that take longest there. */
const MOST = 3;

/** Times of a kernel, by machine and use. */
export function measured(kernel: string): readonly Measured[] {
  const own = ALL.filter((one) => one.kernel === kernel);
  const keyOf = ({ machine, result }: Measured): string => `${machine} ${result.use}`;
  return [...new Set(own.map(keyOf))].flatMap((key) =>
    own
      .filter((one) => keyOf(one) === key)
      .toSorted((a, b) => b.result.us - a.result.us)
      .slice(0, MOST),
  );
}
