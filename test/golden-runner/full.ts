/** Official sizes with hash weights: GPT-B at 16 x 16 tokens, the VQ-16 decoder at 256 x 256 pixels. */

import { packRows } from '../../kernels/lib/row-table.ts';
import { tokenLoop } from '../../src/engine/token-loop.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { Graph } from '../../src/graph/graph.ts';
import { checkGpt, checkVq } from '../../src/load/model.ts';
import type { Network } from '../../src/load/network.ts';
import type { PrecisionOptions } from '../../src/load/precision.ts';
import { positionsOf } from '../../src/models/gpt.ts';
import { type GptConfig, parseGptConfig } from '../../src/models/gpt-config.ts';
import { gptScorer } from '../../src/models/gpt-scorer.ts';
import { ropeTable } from '../../src/models/rope-table.ts';
import { parseVqConfig } from '../../src/models/vq-config.ts';
import { vqDecoder } from '../../src/models/vq-decoder.ts';
import { vqOptions } from '../../src/models/vq-options.ts';
import { ENCODER_TENSORS } from '../../src/weights/join.ts';
import { type GoldenCase, tensorOf } from './case.ts';
import { type Check, checkFloats, checkIntegers } from './check.ts';
import { runGraph } from './graph.ts';
import { type HashTensor, hashWeights } from './hash-weights.ts';
import { argmax, margin, momentsOf, rangeOf } from './statistics.ts';

const weightsOf = ({ name, config }: GoldenCase, ignore: readonly RegExp[] = []) => {
  const all = config.weights as readonly HashTensor[];
  const needed = all.filter((tensor) => !ignore.some((pattern) => pattern.test(tensor.name)));
  return hashWeights(name, String(config.salt), needed);
};

export async function runFullGpt(
  device: GPUDevice,
  golden: GoldenCase,
  options: PrecisionOptions = {},
): Promise<Check[]> {
  const config = parseGptConfig(golden.config.model_args, golden.name);
  const memory = new Memory(device);
  try {
    const checked = await checkGpt(device, config, await weightsOf(golden), options);
    const network = await checked.load(memory);
    return [...(await scoring(network, golden)), ...(await greedy(network, golden))];
  } finally {
    memory.freeAll();
  }
}

/** Teacher forcing in one pass: samples of the logits and of the residual stream after each layer. */
async function scoring(network: Network<GptConfig>, golden: GoldenCase): Promise<Check[]> {
  const { config, memory, weights, precision } = network;
  const rows = positionsOf(config);
  const g = new Graph();
  const gpt = gptScorer(g, config, 1, precision);
  const [condition = 0] = tensorOf(golden, 'class').data;
  const stands = Array.from({ length: rows }, (_, position) => {
    return { slot: 0, position, sequence: 0, condition };
  });
  const results = await runGraph(
    memory,
    weights,
    g,
    [
      [gpt.rowTable, packRows(stands)],
      [gpt.rope, ropeTable(config)],
      [gpt.tokens, tensorOf(golden, 'tokens').data],
    ],
    [gpt.logits, ...gpt.hidden],
  );
  const logits = await results.floats(gpt.logits);
  const { vocabSize, dim } = config;
  const row = (p: number): Float32Array => logits.subarray(p * vocabSize, (p + 1) * vocabSize);
  const at = (golden.config.positions as readonly number[]).map(row);
  const stride = Number(golden.config.slice_stride);
  const hidden: number[] = [];
  for (const layer of gpt.hidden) {
    const values = await results.floats(layer);
    for (const p of golden.config.hidden_positions as readonly number[]) {
      const of = values.subarray(p * dim, (p + 1) * dim);
      hidden.push(...every(of, Number(golden.config.hidden_stride)));
    }
  }
  const stats = at.flatMap((values) => [...momentsOf(values), ...rangeOf(values)]);
  return [
    checkFloats(
      golden,
      'logits_slice',
      at.flatMap((values) => every(values, stride)),
    ),
    checkFloats(golden, 'logits_stats', stats),
    checkIntegers(golden, 'logits_argmax', at.map(argmax)),
    checkFloats(golden, 'hidden_slice', hidden),
  ];
}

async function greedy(network: Network<GptConfig>, golden: GoldenCase): Promise<Check[]> {
  const { vocabSize, blockSize } = network.config;
  const how = golden.config.greedy as {
    readonly cfg_scale: number;
    readonly max_new_tokens: number;
    readonly classes: readonly number[];
  };
  const steps = how.max_new_tokens;
  const loop = await tokenLoop(network, { sequences: how.classes.length, guided: true });
  const rest = { seed: 0, cfgInterval: -1, temperature: 1, topK: 0, topP: 1 };
  loop.start(
    how.classes.map((label) => ({
      ...{ ...rest, cfgScale: how.cfg_scale, greedy: true, given: 0 },
      label,
    })),
  );
  const slices = how.classes.map((): number[] => []);
  const margins = how.classes.map((): number[] => []);
  for (let step = 0; step < steps; step++) {
    await loop.run(1);
    const logits = await loop.readLogits();
    for (const i of how.classes.keys()) {
      const row = logits.subarray(i * vocabSize, (i + 1) * vocabSize);
      slices[i]?.push(...every(row, Number(golden.config.slice_stride)));
      margins[i]?.push(margin(row));
    }
  }
  const all = await loop.readTokens();
  const tokens = how.classes.flatMap((_, i) => [
    ...all.subarray(i * blockSize, i * blockSize + steps),
  ]);
  loop.destroy();
  return [
    checkIntegers(golden, 'gen.tokens', tokens),
    checkFloats(golden, 'gen.margin', margins.flat()),
    checkFloats(golden, 'gen.logits_slice', slices.flat()),
  ];
}

export async function runFullVq(
  device: GPUDevice,
  golden: GoldenCase,
  options: PrecisionOptions = {},
): Promise<Check[]> {
  const config = parseVqConfig(golden.config.model_args);
  const memory = new Memory(device);
  try {
    const file = await weightsOf(golden, ENCODER_TENSORS);
    const { weights, precision } = await (await checkVq(device, config, file, options)).load(
      memory,
    );
    const [height, width] = golden.config.grid as readonly [number, number];
    const g = new Graph();
    const shape = { images: 1, height, width };
    const vq = vqDecoder(g, config, shape, { ...vqOptions(precision), stages: true });
    const codes = tensorOf(golden, 'codes').data;
    const names = (golden.config.stages as readonly string[]).map((s) => s.replace('stage.', ''));
    const stages = names.map((name) => {
      const stage = vq.stages[name];
      if (!stage) throw new Error(`${golden.name}: the decoder has no stage "${name}"`);
      return stage;
    });
    const inputs = [[vq.codes, codes]] as const;
    const results = await runGraph(memory, weights, g, inputs, [vq.image, ...stages]);
    const stageValues: Float32Array[] = [];
    for (const stage of stages) stageValues.push(await results.floats(stage));
    return [
      ...checkImage(golden, await results.floats(vq.image)),
      checkFloats(golden, 'stage_slice', stageValues.flatMap(sixtyFour)),
      checkFloats(golden, 'stage_stats', stageValues.flatMap(momentsOf)),
    ];
  } finally {
    memory.freeAll();
  }
}

function checkImage(golden: GoldenCase, image: Float32Array): Check[] {
  const [channels = 3, height = 0, width = 0] = golden.config.image as readonly number[];
  const step = Number(golden.config.slice_step);
  const planes = Array.from({ length: channels }, (_, c) =>
    image.subarray(c * height * width, (c + 1) * height * width),
  );
  const lattice = (top: number, left: number): number[] =>
    planes.flatMap((plane) =>
      Array.from({ length: (height / step) * (width / step) }, (_, i) => {
        const y = top + step * Math.floor(i / (width / step));
        const x = left + step * (i % (width / step));
        return plane[y * width + x] ?? Number.NaN;
      }),
    );
  const line = (101 % height) * width;
  const stats = planes.flatMap((plane) => [...momentsOf(plane), ...rangeOf(plane)]);
  return [
    checkFloats(golden, 'image_slice', lattice(0, 0)),
    checkFloats(golden, 'image_slice_odd', lattice(step / 2 + 1, 3)),
    checkFloats(
      golden,
      'image_row',
      planes.flatMap((plane) => [...plane.subarray(line, line + width)]),
    ),
    checkFloats(golden, 'image_stats', stats),
  ];
}

/** 64 values at multiples of the stride. */
const every = (values: Float32Array, stride: number): number[] =>
  Array.from({ length: 64 }, (_, j) => values[j * stride] ?? Number.NaN);

/** 64 values spread over a tensor as the reference spreads them. */
const sixtyFour = (values: Float32Array): number[] =>
  every(values, Math.floor(values.length / 64) - 1);
