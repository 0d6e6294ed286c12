/**
 * `npm run test:forced [-- --small | --few | --images] [WORDS...]`: golden cases and batch invariance with every
 * variant forced on in turn, or with those given, each as the variable LLAMAGEN_VARIANT takes it. With
 * --small the cases of single operations and of one small decoder alone; with --few four pictures of each
 * shipped model in place of 32, which take a software adapter hours where there are barriers; with --images
 * also whole images alone and in batches, which take it hours there too. Without words, what
 * ends devices and models also runs without Dawn's validation, which software adapters have otherwise.
 */
import { Command } from 'commander';
import { runScript } from '../../scripts/script.ts';
import { parseVariant } from '../../src/ops/variant-words.ts';
import { EVERY_CASE } from '../support/few.ts';
import { vitest } from '../support/vitest.ts';

/** Reductions, then tiles that differ from the kernels' own choice. */
const ALL: readonly string[] = [
  'serial',
  'serial,product.span=1,conv.method=direct',
  'serial,product.columns=8,product.split=3,conv.method=gemm,attention.keys=4',
  'workgroup',
  'workgroup,product.parts=4,product.split=2,conv.split=3,attention.span=2,attention.keys=1',
  'subgroup',
  'subgroup,product.span=2,map.tileM=32,attention.size=64,attention.span=2',
  'packed',
];

/** Barriers on a software adapter: one golden case of a whole model takes minutes, in milliseconds. */
const TIMEOUT = ['--testTimeout', `${30 * 60_000}`];

/** The tests that run what the device's variant says. */
const RUNS: readonly (readonly string[])[] = [
  ['test/golden.test.ts', '-t', 'the variant chosen for this adapter'],
  ['test/kernels/batch-invariance.test.ts', '-t', 'forced'],
];
/** One operation each, and the smallest decoder: every kernel of a variant in seconds. */
const SMALL: readonly (readonly string[])[] = [
  ['test/golden.test.ts', '-t', "the variant chosen for this adapter '?(op_|c2i_odd_mha)"],
];
/** Models, engines and buffers that end while they are used. */
const ENDINGS = [
  ...['test/generate/destroyed.test.ts', 'test/gpu/memory.test.ts', 'test/engine/engine.test.ts'],
];
const IMAGES = ['test/generate/generate.test.ts', 'test/generate/encode.test.ts'];

interface Options {
  readonly small: boolean;
  readonly few: boolean;
  readonly images: boolean;
}

async function force(given: readonly string[], { small, few, images }: Options): Promise<number> {
  const runs = [...(small ? SMALL : RUNS), ...(images ? [IMAGES] : [])];
  const sets = (given.length > 0 ? given : ALL).map((text) => {
    parseVariant(text); // all of them before the first runs: each takes minutes
    return { text, runs, variables: { LLAMAGEN_VARIANT: text } };
  });
  const unvalidated = {
    text: 'unvalidated',
    runs: [ENDINGS],
    variables: { LLAMAGEN_VALIDATION: '0' },
  };
  let failed = 0;
  for (const { text, runs, variables } of given.length > 0 ? sets : [...sets, unvalidated]) {
    const started = performance.now();
    let passed = 0;
    for (const args of runs) {
      const { code, output } = await vitest([...args, ...TIMEOUT], {
        ...(few ? {} : EVERY_CASE),
        ...variables,
      });
      const count = Number(/Tests +(?:\d+ failed \| )?(\d+) passed/.exec(output)?.[1] ?? 0);
      passed += count;
      if (code !== 0 || count === 0) {
        failed++;
        console.error(`FAILED   ${text}: vitest run ${args.join(' ')}\n${output}`);
      }
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    console.log(`${text}: ${passed} tests passed, ${seconds} s`);
  }
  return failed > 0 ? 1 : 0;
}

const forced = new Command('test:forced')
  .description('Runs golden cases and batch invariance with every variant forced on in turn.')
  .argument('[variant...]', `as LLAMAGEN_VARIANT takes them (default: ${ALL.join('; ')})`)
  .option('--small', 'golden cases of single operations and of a small decoder alone', false)
  .option('--few', 'four pictures of each shipped model in place of 32', false)
  .option('--images', 'also whole images alone and in batches', false);
await runScript(forced, () => force(forced.args, forced.opts<Options>()));
