/** `text`: prompts through a T5 encoder with random weights, from token ids to features in JavaScript. */
import { loadTextEncoder } from '../../src/index.ts';
import { T5_XL, type T5Config } from '../../src/models/t5-config.ts';
import { Refusal } from '../refusal.ts';
import { repeat, type Timing, timed, timing } from '../repeat.ts';
import { SameCheck } from '../same-check.ts';
import type { BenchDevice, Session } from '../session.ts';
import { columns, formatNumber, megabytes, type Table } from '../table.ts';
import { randomEncoderFiles } from './encoder-files.ts';

export interface TextResult {
  readonly model: string;
  readonly cases: readonly TextCase[];
}

export interface TextCase {
  readonly name: string;
  readonly prompts: number;
  readonly tokens: number;
  readonly layersAtOnce: number;
  readonly loadMs: number;
  /** Pipelines are compiled in the first. */
  readonly encodeMs: Timing;
  /** Multiply-adds of the products count as two. */
  readonly gigaflops: number;
  readonly peakBytes: number;
}

/** What software adapters do in seconds: the encoder of a small text model. */
const SMALL: T5Config = {
  ...T5_XL,
  ...{ dim: 256, nLayer: 4, nHead: 4, headDim: 64, hiddenDim: 1024, vocabSize: 4096 },
};

interface Shape {
  readonly prompts: number;
  readonly tokens: number;
  /** Whether an eighth of the layers is on the device at once, and not all of them. */
  readonly streamed?: boolean;
}

/** Most rows on software adapters. */
const FEW_ROWS = 200;

/** Captions have 20 to 30 tokens; 120 is the most. */
const SHAPES: readonly Shape[] = [
  { prompts: 1, tokens: 24 },
  { prompts: 8, tokens: 24 },
  { prompts: 8, tokens: 120 },
  { prompts: 8, tokens: 24, streamed: true },
];

/** @throws Refusal when features are all alike; Error when two runs make different ones. */
export async function measureText(session: Session): Promise<TextResult> {
  const config = session.software || session.settings.quick ? SMALL : T5_XL;
  const cases: TextCase[] = [];
  for (const shape of SHAPES) {
    if (session.software && shape.prompts * shape.tokens > FEW_ROWS) continue;
    cases.push(await session.use((d) => measureShape(session, d, config, shape)));
  }
  const { nLayer, dim, hiddenDim } = config;
  return { model: `T5 of ${nLayer} layers, ${dim} and ${hiddenDim} features`, cases };
}

/** Values of the matrices of a layer. */
const layerValues = ({ dim, nHead, headDim, hiddenDim }: T5Config): number =>
  4 * dim * nHead * headDim + 3 * dim * hiddenDim;

async function measureShape(
  session: Session,
  { device }: BenchDevice,
  config: T5Config,
  { prompts, tokens, streamed }: Shape,
): Promise<TextCase> {
  const { variant, tiles } = session.loading;
  // A quarter of a layer more than the matrices take, whatever they are stored as.
  const bytes = (session.software ? 4 : 2) * layerValues(config);
  const maxWeightBytes = streamed ? (Math.ceil(config.nLayer / 8) + 0.25) * bytes : undefined;
  const files = randomEncoderFiles(config);
  const loaded = await timed(() =>
    loadTextEncoder(device, files, { variant, tiles, maxWeightBytes }),
  );
  const encoder = loaded.result;
  const ids = Array.from({ length: prompts }, (_, prompt) =>
    Array.from(
      { length: tokens },
      (_, i) => 1 + ((i * 131 + prompt * 17) % (config.vocabSize - 1)),
    ),
  );
  const same = new SameCheck('feature');
  const times = await repeat(session.settings.runs, async (run) => {
    const { ms, result } = await timed(() => encoder.encode(ids));
    for (const [prompt, { values }] of result.entries()) {
      same.check(`encoding ${run}`, prompt, values);
      if (values.every((value) => value === values[0])) {
        throw new Refusal('all features are alike: nothing is reported');
      }
    }
    return ms;
  });
  const { layersAtOnce, peakBytes } = encoder;
  encoder.destroy();
  const encodeMs = timing(times);
  const operations = 2 * prompts * tokens * config.nLayer * layerValues(config);
  return {
    name: `${prompts} x ${tokens} tokens${streamed ? `, ${layersAtOnce} of ${config.nLayer} layers at a time` : ''}`,
    ...{ prompts, tokens, layersAtOnce, encodeMs, peakBytes },
    loadMs: loaded.ms,
    gigaflops: operations / encodeMs.min / 1e6,
  };
}

export const textTables = ({ model, cases }: TextResult): Table[] => [
  columns(model, cases, {
    'load, ms': ({ loadMs }) => formatNumber(loadMs),
    'first encoding, ms': ({ encodeMs }) => formatNumber(encodeMs.first),
    'best, ms': ({ encodeMs }) => formatNumber(encodeMs.min),
    'median, ms': ({ encodeMs }) => formatNumber(encodeMs.median),
    'products, GFLOP/s': ({ gigaflops }) => formatNumber(gigaflops),
    'peak GPU memory, MB': ({ peakBytes }) => megabytes(peakBytes),
  }),
];
