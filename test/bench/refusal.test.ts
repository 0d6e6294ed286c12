/** When the bench reports nothing. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adapterDifference } from '../../bench/environment.ts';
import { runOnce } from '../../bench/gpu/launch.ts';
import type { KernelCase } from '../../bench/kernels/cases.ts';
import { familyOf } from '../../bench/kernels/families.ts';
import { type Prepared, prepareKernel } from '../../bench/kernels/measure.ts';
import { assertFinite, Refusal } from '../../bench/refusal.ts';
import { Session } from '../../bench/session.ts';
import type { Settings } from '../../bench/settings.ts';
import { runSuites, type Suite } from '../../bench/suites.ts';
import { conv2d } from '../../kernels/conv/conv2d.ts';
import { spatialMix } from '../../kernels/conv/spatial-mix.ts';
import { spatialScores } from '../../kernels/conv/spatial-scores.ts';
import { toRgba } from '../../kernels/conv/to-rgba.ts';
import { codebookLookup } from '../../kernels/embed/codebook-lookup.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import { groupNorm } from '../../kernels/norm/group-norm.ts';
import { softmaxRows } from '../../kernels/norm/softmax-rows.ts';
import { DeviceError } from '../../src/errors.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { Graph } from '../../src/graph/graph.ts';
import { gptDecoder } from '../../src/models/gpt.ts';
import { parseGptConfig } from '../../src/models/gpt-config.ts';
import { parseVqConfig } from '../../src/models/vq-config.ts';
import { vqDecoder } from '../../src/models/vq-decoder.ts';
import { type NodeDevice, openDevice } from '../../src/node/device.ts';
import { testDevice } from '../support/device.ts';
import { few } from '../support/few.ts';
import { ROOT } from '../support/sources.ts';
import { deviceVariants, F32_VARIANTS } from '../support/variants.ts';

const SETTINGS: Settings = {
  ...{ runs: 1, quick: true, kv: 'f32', budget: 1, model: '', images: [] },
};

/** A small decoder: head size 20 is no power of two. */
const CONFIG = parseGptConfig({
  ...{ dim: 80, n_layer: 1, n_head: 4, vocab_size: 16384, num_classes: 1000, block_size: 16 },
});

/** A small tokenizer, wide enough for every way to make a convolution. */
const TOKENIZER = parseVqConfig({ ch: 32, ch_mult: [1, 2], num_res_blocks: 1, z_channels: 32 });

const MAP = { images: 1, height: 12, width: 10 } as const;
const CODES = { ...MAP, codebookSize: 16384, codebookEmbedDim: 8 } as const;
const conv = { ...MAP, inChannels: 5, outChannels: 9 } as const;

const tokenizer: readonly Kernel[] = [
  conv2d({ ...conv, kernelSize: 1 }),
  conv2d({ ...conv, kernelSize: 3 }),
  conv2d({ ...conv, kernelSize: 3, residual: true }),
  conv2d({ ...conv, kernelSize: 3, upsample: true }),
  conv2d({ ...conv, kernelSize: 3, stride: 2 }),
  conv2d({ ...conv, height: 20, width: 24, kernelSize: 3 }),
  conv2d({ ...conv, height: 20, width: 24, kernelSize: 3, upsample: true }),
  groupNorm({ ...MAP, channels: 64, swish: true }),
  groupNorm({ ...MAP, channels: 64, swish: false }),
  softmaxRows({ rows: 3, length: 70 }),
  spatialScores({ ...MAP, channels: 6 }),
  spatialMix({ ...MAP, channels: 6 }),
  toRgba(MAP),
  codebookLookup({ ...CODES, l2Norm: true }),
];

describe('outputs that disagree with the oracle', () => {
  let memory: Memory;
  let decoder: readonly Kernel[];

  beforeAll(async () => {
    const device = await testDevice();
    memory = new Memory(device);
    const g = new Graph();
    const dtypes = ['f32', 'f16', 'bf16', 'int8', 'int4'] as const;
    const variants = deviceVariants(device, F32_VARIANTS);
    const decoders = variants.flatMap((variant) =>
      dtypes
        .filter((dtype) => variant.reduce === 'serial' || dtype === 'f32')
        .map((dtype) => ({ variant, dtype })),
    );
    for (const { variant, dtype } of few(2, decoders)) {
      const own = new Graph();
      const kvDtype = dtype === 'f16' ? 'f16' : 'f32';
      const pass = { rows: 4, slots: 4 };
      gptDecoder(own, CONFIG, pass, { variant, dtype, kvDtype });
      g.nodes.push(...own.nodes);
    }
    for (const variant of few(2, variants)) {
      const own = new Graph();
      vqDecoder(own, TOKENIZER, { images: 1, height: 6, width: 5 }, { variant, dtype: 'f32' });
      g.nodes.push(...own.nodes);
    }
    decoder = g.nodes.map(({ kernel }) => kernel);
  });

  afterAll(() => memory.freeAll());

  const prepared = (kernel: Kernel, work: (p: Prepared) => Promise<void>): Promise<void> =>
    prepareKernel(memory, { kernel, config: CONFIG } as KernelCase).then(async (p) => {
      runOnce(memory, p.encode);
      await work(p).finally(() => p.free());
    });

  test('every kernel of a step and of the tokenizer has an oracle, and agrees with it', async () => {
    expect(decoder.length).toBeGreaterThan(20);
    for (const kernel of [...decoder, ...tokenizer]) {
      const family = familyOf(kernel);
      if (!family) throw new Error(`${kernel.label}: no family`);
      await prepared(kernel, ({ run }) => family.check(run));
    }
  });

  test('one value that is wrong in an output is found', async () => {
    for (const kernel of [...decoder, ...tokenizer]) {
      await prepared(kernel, async ({ run }) => {
        run.spoil(kernel.bindings.tokens?.role === 'inout' ? 'rowTable' : outputOf(kernel));
        const check = familyOf(kernel)?.check(run);
        await expect(check, kernel.label).rejects.toThrow(Refusal);
      });
    }
  });

  test('an output that is not a number is found', async () => {
    for (const kernel of tokenizer.filter(({ bindings }) => bindings.out)) {
      await prepared(kernel, async ({ run }) => {
        run.spoil('out', Number.NaN);
        await expect(familyOf(kernel)?.check(run), kernel.label).rejects.toThrow(/is NaN/);
      });
    }
  });
});

/** The binding whose first value every check looks at. */
function outputOf({ bindings }: Kernel): string {
  const name = ['q', 'out', 'probs', 'zq', 'rgba'].find((n) => bindings[n]?.role === 'out');
  if (!name) throw new Error(`no output among ${Object.keys(bindings)}`);
  return name;
}

test('a value that is not finite is named', () => {
  expect(() => assertFinite('logits', [0, 1, Number.NaN])).toThrow('logits: value 2 is NaN');
  expect(() => assertFinite('logits', [0, Number.POSITIVE_INFINITY])).toThrow(Refusal);
  assertFinite('logits', [0, 1]);
});

describe('an adapter', () => {
  const changed = (opened: NodeDevice): NodeDevice => ({
    ...opened,
    adapter: { info: { ...describe1(opened), device: 'another' } } as unknown as GPUAdapter,
  });
  const describe1 = ({ adapter }: NodeDevice) => {
    const { vendor, architecture, device, description } = adapter.info;
    return { vendor, architecture, device, description };
  };

  test('that changed in between is refused', async () => {
    let opened = 0;
    const session = await Session.start(SETTINGS, async () => {
      const real = await openDevice();
      return ++opened > 1 ? changed(real) : real;
    });
    const name = session.environment.adapter.device;
    await expect(session.use(async () => 1)).rejects.toThrow(
      `the adapter changed during the run: device "${name}" became "another"`,
    );
  });

  test('that is the same is not', async () => {
    const session = await Session.start(SETTINGS);
    expect(await session.use(async () => 1)).toBe(1);
  });

  test('differs by its driver, toggles, features or variant', async () => {
    const { environment: e } = await Session.start(SETTINGS);
    expect(adapterDifference(e, { ...e })).toBeUndefined();
    const other = { ...e.adapter, description: 'driver 6' };
    expect(adapterDifference(e, { ...e, adapter: other })).toMatch(/^description .* "driver 6"$/);
    expect(adapterDifference(e, { ...e, toggles: [] })).toMatch(/^toggles /);
    expect(adapterDifference(e, { ...e, features: [] })).toMatch(/^features /);
    const variant = { ...e.variant, f16: !e.variant.f16 };
    expect(adapterDifference(e, { ...e, variant })).toMatch(/^variant /);
  });
});

describe('a run', () => {
  const suite = (measure: Suite<string>['measure']): Suite<string> => ({
    measure,
    tables: (result) => [[[result]]],
  });
  const good = suite(async () => 'good');

  const ran = async (suites: Readonly<Record<string, Suite<string>>>) => {
    const printed: string[] = [];
    const print = (lines: readonly string[]) => void printed.push(...lines);
    const file = runSuites(Object.keys(suites), SETTINGS, { print, note: () => {}, suites });
    return { error: await file.then(() => undefined, String), printed };
  };

  test('prints a suite that is through', async () => {
    const { error, printed } = await ran({ good });
    expect(error).toBeUndefined();
    expect(printed).toContain('good');
  });

  test('whose device is lost prints nothing of the suite and fails', async () => {
    const lost = suite(async (session) => {
      await session.use(({ device }) => {
        device.destroy();
        return new Promise(() => {});
      });
      return 'never';
    });
    const { error, printed } = await ran({ good, lost });
    expect(error).toMatch(/DeviceError: the GPU device was lost/);
    expect(printed).not.toContain('never');
  });

  test('whose device reports an error fails', async () => {
    const session = await Session.start(SETTINGS);
    const work = session.use(async ({ device }) => {
      device.createBuffer({ size: 16, usage: 0x4000_0000 });
      await device.queue.onSubmittedWorkDone();
      return new Promise(() => {});
    });
    await expect(work).rejects.toThrow(DeviceError);
  });

  test('that is refused ends with 1 and prints no result', () => {
    // There is no such driver file, so asking for the system's adapter alone fails.
    const env = { ...process.env, LLAMAGEN_ADAPTER: 'system', VK_DRIVER_FILES: '/none.json' };
    const { status, stdout, stderr } = bench(['limits'], env);
    expect(stderr).toMatch(/^bench: /m);
    expect([status, stdout]).toEqual([1, '']);
  });
});

function bench(args: readonly string[], env = process.env) {
  const main = join(ROOT, 'bench', 'main.ts');
  const command = ['--import', import.meta.resolve('tsx'), main, ...args];
  return spawnSync(process.execPath, command, { env, encoding: 'utf8' });
}

test.each([
  [['kernel'], 'no suite "kernel": there are limits, kernels, generate, scaling, model, peers'],
  [['scaling', '--cases', 'GPT-Z'], 'scaling has no case "GPT-Z"; there are'],
  [['generate', '--models', 'Z'], 'Expected some of GPT-B, GPT-L'],
  [['generate', '--grids', '17'], 'Expected some of 16, 24, 32'],
])('%s ends with 2 and lists what there is', (args, message) => {
  const { status, stdout, stderr } = bench([...args, '--runs', '1', '--quick']);
  expect(stderr).toContain(message);
  expect(status).toBe(2);
  expect(stdout).not.toContain('ms');
});
