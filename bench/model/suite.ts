/** `model`: a model as users run it, through the library and through the command. */
import { readModelJson } from '../../src/cli/models.ts';
import { openFolder } from '../../src/node/files.ts';
import type { Timing } from '../repeat.ts';
import { SameCheck } from '../same-check.ts';
import type { Session } from '../session.ts';
import { formatNumber, megabytes, type Row, type Table } from '../table.ts';
import { type BatchResult, measureBatch } from './batch.ts';
import { type CommandResult, measureCommand } from './command.ts';
import { type LoadResult, measureLoad } from './load.ts';

export interface ModelResult {
  readonly model: string;
  readonly load: LoadResult;
  readonly batches: readonly BatchReport[];
}

/** Everything about one batch size. */
type BatchReport = BatchResult & CommandResult;

/** @throws Error when runs make different tokens. */
export async function measureModel(session: Session): Promise<ModelResult> {
  const { model, images, runs } = session.settings;
  const files = openFolder(model);
  const config = await readModelJson(files);
  const load = await session.use(({ device }) => measureLoad(device, files, runs));
  const tokenCheck = new SameCheck('token');
  const batches: BatchReport[] = [];
  for (const count of images) {
    session.note(`batch of ${count}`);
    const batch = await session.use(({ device }) =>
      measureBatch(device, files, count, runs, tokenCheck, session.loading),
    );
    const command = await measureCommand(model, config, count, runs, tokenCheck);
    batches.push({ ...batch, ...command });
  }
  return { model: config.name, load, batches };
}

export const modelTables = ({ model, load, batches }: ModelResult): Table[] => [
  [
    [`loading ${model}`, 'first', 'best', 'median'],
    timingRow('load, ms', load.loadMs),
    ['peak host memory above the open device, MB', megabytes(load.peakHostBytes)],
  ],
  ...batches.map(batchTable),
];

function batchTable(batch: BatchReport): Table {
  const { images, rows, steps, stepMs, memory, phasesMs: phases } = batch;
  const { decoderBuild: decoder, tokenizerBuild: tokenizer } = batch;
  const rate = (ms: number): number => (images * 1000) / ms;
  const phase = (name: string, ms: number): Row => [
    `  of the best: ${name}`,
    ...['', formatNumber(ms / 1000)],
  ];
  return [
    [`batch of ${images}: ${rows} rows, ${steps} steps`, 'first', 'best', 'median'],
    timingRow('tokens/s', stepMs, rate),
    timingRow('step, ms', stepMs),
    timingRow('encode a step in JavaScript, us', batch.encodeUs),
    timingRow('decode one image, ms', batch.decodeMs),
    [`compile decoder (${decoder.pipelines} pipelines), ms`, formatNumber(decoder.ms)],
    [`compile tokenizer (${tokenizer.pipelines} pipelines), ms`, formatNumber(tokenizer.ms)],
    ['dispatches of a step', `${decoder.dispatches}`],
    ['dispatches to decode one image', `${tokenizer.dispatches}`],
    [`GPU memory: weights (decoder ${batch.dtype}), MB`, megabytes(memory.weights)],
    [`GPU memory: KV cache (${batch.kvDtype}) and state, MB`, megabytes(memory.state)],
    ['GPU memory: temps, MB', megabytes(memory.temp)],
    timingRow('llamagen generate, whole process, s', batch.processMs, (ms) => ms / 1000),
    phase('start, adapter, PNG, exit', phases.other),
    phase('load', phases.load),
    phase('compile', phases.compile),
    phase('tokens', phases.tokens),
    phase('decode', phases.decode),
  ];
}

const timingRow = (name: string, { first, min, median }: Timing, of = (ms: number) => ms): Row => [
  name,
  ...[first, min, median].map((ms) => formatNumber(of(ms))),
];
