/**
 * `npm run kernel -- NAME [key=value ...]`: one kernel as a device gets it: its WGSL, bindings, grid and
 * cost. What is not among the words comes from the example of the kernel's record.
 */
import { Command } from 'commander';
import { costOf } from '../kernels/cost.ts';
import type { Kernel } from '../kernels/kernel.ts';
import { OptionError } from '../src/errors.ts';
import { nearNames } from '../src/near-names.ts';
import { RECORDS, recordNamed } from '../test/records/index.ts';
import type { KernelRecord } from '../test/records/record.ts';
import { paramWords, readParams, titleOf } from '../test/records/words.ts';
import { runScript } from './script.ts';

const show = new Command('kernel')
  .description('Prints the WGSL of a kernel, with its bindings, grid and cost.')
  .argument('[name]', 'a kernel, such as linear or rms_norm')
  .argument(
    '[parameters...]',
    'rows=2, dtype=f16, variant=subgroup,lanes=32, tile.span=8; none leaves a parameter out',
  )
  .option('--list', 'list all kernels, each with an example')
  .addHelpText(
    'after',
    `
Example:
  npm run kernel -- linear rows=2 inDim=768 outDim=2304 dtype=f16 variant=subgroup`,
  );

/** @throws OptionError with names that are near. */
function recordFor(name: string): KernelRecord {
  const record = recordNamed(name);
  if (record) return record;
  const names = RECORDS.map((known) => known.name);
  const near = nearNames(names, name);
  throw new OptionError(
    `there is no kernel "${name}": ${near.length > 0 ? `did you mean ${near.join(' or ')}? ` : ''}` +
      '--list has all',
  );
}

/** @throws OptionError where words are none, or the kernel refuses what they say. */
function kernelOf(record: KernelRecord, words: readonly string[]): Kernel {
  try {
    return record.kernel(readParams(words, record.shown));
  } catch (error) {
    if (error instanceof RangeError) throw new OptionError(error.message, { cause: error });
    throw error;
  }
}

/** Comments of WGSL before the text, so that all that is printed is WGSL. */
function described(kernel: Kernel): string[] {
  const { name, label, params, bindings, workgroups, features = [], sizes } = kernel;
  const { bytes, operations } = costOf(kernel);
  return [
    label,
    `npm run kernel -- ${titleOf(name, params)}`,
    ...Object.entries(bindings).map(
      ([binding, { role, dtype, shape }], i) =>
        `binding ${i}: ${binding} ${role} ${dtype}[${shape}]`,
    ),
    ...(sizes ? [`sizes: ${paramWords(sizes).join(' ')}`] : []),
    `grid: ${workgroups.join(' x ')} workgroups`,
    ...(features.length > 0 ? [`features: ${features.join(', ')}`] : []),
    `cost: ${bytes} bytes, ${operations} operations`,
  ];
}

await runScript(show, () => {
  const [name, ...words] = show.args;
  const { list } = show.opts<{ list?: true }>();
  if (list) {
    for (const { name: own, shown } of RECORDS) console.log(titleOf(own, shown));
    return;
  }
  if (name === undefined) throw new OptionError('expected the name of a kernel, or --list');
  const kernel = kernelOf(recordFor(name), words);
  console.log([...described(kernel).map((line) => `// ${line}`), '', kernel.code].join('\n'));
});
