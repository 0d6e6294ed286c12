/** This project as a runner. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packRows } from '../../kernels/lib/row-table.ts';
import { packSequences } from '../../kernels/sampler/sequence-table.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { build } from '../../src/gpu/program.ts';
import { readBuffer } from '../../src/gpu/readback.ts';
import { Graph } from '../../src/graph/graph.ts';
import { byteLength, type Tensor } from '../../src/graph/tensor.ts';
import { checkGpt, checkVq } from '../../src/load/model.ts';
import { gptDecoder } from '../../src/models/gpt.ts';
import { ropeTable } from '../../src/models/rope-table.ts';
import { vqDecoder } from '../../src/models/vq-decoder.ts';
import { vqOptions } from '../../src/models/vq-options.ts';
import { type KernelChoices, openDevice } from '../../src/node/device.ts';
import { packageFolder } from '../../src/node/files.ts';
import { timed } from '../repeat.ts';
import { rowsOf } from './result.ts';
import { type Outputs, type Runner, type Setup, serve } from './runner.ts';
import {
  CFG_SCALE,
  CHECKED_POSITIONS,
  cacheOf,
  classesOf,
  gptWorkload,
  TIMED_POSITION,
  tokensOf,
  vqWorkload,
} from './workload.ts';

type Work = Pick<Runner, 'outputs' | 'sample'>;

await serve(async ({ task, side, robust }: Setup) => {
  const { device, adapter, software, kernels } = await openDevice({ robust });
  const memory = new Memory(device);
  const work =
    task === 'vq-16' ? vqWork(memory, side, kernels) : gptWork(memory, rowsOf(task), kernels);
  const { version } = JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8'));
  const { device: name, description } = adapter.info;
  return { version, adapter: description || name, software, ...(await work) };
});

/** A decoding step: guidance, filtering and drawing included. */
async function gptWork(memory: Memory, rows: number, kernels: KernelChoices): Promise<Work> {
  const { config, file } = await gptWorkload();
  const { device } = memory;
  const sequences = rows / 2;
  const { weights, precision } = await (await checkGpt(device, config, file, kernels)).load(memory);
  const g = new Graph();
  const gpt = gptDecoder(g, config, { rows, slots: rows, keep: true }, precision);
  const { logits } = gpt.kept ?? {};
  if (!logits) throw new RangeError('the pass keeps no logits');
  const program = await build(memory, g, { weights, keep: [logits] });
  const write = (t: Tensor, data: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>): void =>
    device.queue.writeBuffer(program.bufferOf(t), 0, data);
  const conditions = [...classesOf(sequences), ...Array(sequences).fill(config.numClasses)];
  const standAt = (position: number): void =>
    write(
      gpt.rowTable,
      packRows(
        conditions.map((condition, slot) => {
          return { slot, position, sequence: slot % sequences, condition };
        }),
      ),
    );
  const step = async (position: number): Promise<Float32Array> => {
    standAt(position);
    program.run();
    const buffer = program.bufferOf(logits);
    return new Float32Array(await readBuffer(memory, buffer, byteLength(logits)));
  };

  write(gpt.rope, ropeTable(config));
  write(gpt.tokens, tokensOf(sequences, config));
  const rest = {
    cfgInterval: -1,
    temperature: 1,
    topK: 0,
    topP: 1,
    greedy: false,
    given: 0,
  };
  const settings = Array.from({ length: sequences }, (_, seed) => ({
    ...rest,
    ...{ seed, cfgScale: CFG_SCALE },
    ...{ row: seed, uncondRow: sequences + seed },
  }));
  write(gpt.sequenceTable, packSequences(settings, rows));
  for (const t of g.residents) {
    const layer = /^layers\.(\d+)\.kv$/.exec(t.name)?.[1];
    if (layer === undefined) continue;
    const values = byteLength(t) / 4;
    const kv = new Float32Array(values);
    kv.set(cacheOf(Number(layer), 'k', values / 2));
    kv.set(cacheOf(Number(layer), 'v', values / 2), values / 2);
    write(t, kv);
  }
  return {
    async outputs() {
      const each = sequences * config.vocabSize;
      const all = new Float32Array(CHECKED_POSITIONS.length * each);
      const times: number[] = [];
      for (const [i, position] of CHECKED_POSITIONS.entries()) {
        const { ms, result } = await timed(() => step(position));
        times.push(ms);
        all.set(result.subarray(0, each), i * each);
      }
      return { values: all, ms: times[0] ?? Number.NaN };
    },
    sample: async () => (await timed(() => step(TIMED_POSITION))).ms,
  };
}

/** Codes to an image, read back. */
async function vqWork(memory: Memory, side: number, kernels: KernelChoices): Promise<Work> {
  const { config, file, codes } = await vqWorkload(side);
  const { device } = memory;
  const { weights, precision } = await (await checkVq(device, config, file, kernels)).load(memory);
  const g = new Graph();
  const shape = { images: 1, height: side, width: side };
  const vq = vqDecoder(g, config, shape, vqOptions(precision));
  const program = await build(memory, g, { weights, keep: [vq.image] });
  device.queue.writeBuffer(program.bufferOf(vq.codes), 0, codes);
  const decode = async (): Promise<Outputs> => {
    const { ms, result } = await timed(() => {
      program.run();
      return readBuffer(memory, program.bufferOf(vq.image), byteLength(vq.image));
    });
    return { values: new Float32Array(result), ms };
  };
  return {
    outputs: decode,
    sample: async () => (await decode()).ms,
  };
}
