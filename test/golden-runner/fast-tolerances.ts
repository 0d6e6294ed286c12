/**
 * `npx tsx test/golden-runner/fast-tolerances.ts`: writes test/golden/fast.json, how far the image decoder
 * may be off in the precision `fast`, from the reference with operands rounded to ten bits.
 */
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { runScript } from '../../scripts/script.ts';
import { difference } from '../oracle/compare.ts';
import { caseFolders, type GoldenCase, openCase, tensorOf } from './case.ts';
import { decodeInFloat64 } from './vq-reference.ts';

const GOLDEN = new URL('../golden/', import.meta.url);

/**
 * Of the largest difference that rounding makes. Twice, because WGSL lets conversions to halves truncate,
 * which is off by up to twice as much; and twice, because the largest of other roundings, to one side
 * above all, is another one.
 */
const MARGIN = 4;

/** Largest differences that are allowed, by tensor. */
export async function fastTolerances(golden: GoldenCase): Promise<Record<string, number>> {
  const allowed: Record<string, number> = {};
  for (const prefix of (['', 'rect.'] as const).filter((p) => golden.expected.has(`${p}codes`))) {
    const rounded = await decodeInFloat64(golden, { prefix, rounded: true });
    for (const [name, values] of rounded) {
      const { maxError } = difference(values, tensorOf(golden, name).data);
      const atol = Math.max(MARGIN * maxError, golden.atol(name));
      allowed[name] = Number(atol.toPrecision(2));
    }
  }
  return allowed;
}

async function write(): Promise<number> {
  const all: Record<string, Record<string, number>> = {};
  for (const folder of caseFolders(new URL('.', GOLDEN).pathname)) {
    const golden = await openCase(folder);
    if (golden.kind === 'vq') all[golden.name] = await fastTolerances(golden);
  }
  writeFileSync(new URL('fast.json', GOLDEN), `${JSON.stringify(all, null, 2)}\n`);
  return 0;
}

if (process.argv[1] === new URL(import.meta.url).pathname) await runScript(new Command(), write);
