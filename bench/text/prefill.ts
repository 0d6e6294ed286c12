/** `prefill`: captions into the slots of a text-conditional decoder with random weights. */
import { NO_ROW } from '../../kernels/lib/row-table.ts';
import type { Captioned } from '../../src/engine/plan-prefill.ts';
import { rowsToFill } from '../../src/engine/plan-prefill.ts';
import { Prefill } from '../../src/engine/prefill.ts';
import { createSlots } from '../../src/engine/slots.ts';
import { uniform } from '../../src/gpu/random.ts';
import { readBuffer } from '../../src/gpu/readback.ts';
import { type GptConfig, gptConfig, parseGptConfig } from '../../src/models/gpt-config.ts';
import { gptGraphs } from '../../src/models/gpt-graphs.ts';
import { randomNetwork } from '../random-network.ts';
import { Refusal } from '../refusal.ts';
import { repeat, type Timing, timed, timing } from '../repeat.ts';
import { SameCheck } from '../same-check.ts';
import type { BenchDevice, Session } from '../session.ts';
import { columns, formatNumber, type Table } from '../table.ts';

export interface PrefillResult {
  readonly model: string;
  readonly cases: readonly PrefillCase[];
}

export interface PrefillCase {
  readonly name: string;
  /** Rows whose keys and values are computed. */
  readonly rows: number;
  /** Pipelines are compiled in the first. */
  readonly ms: Timing;
  /** Multiply-adds of the products of the layers count as two. */
  readonly gigaflops: number;
}

interface Shape {
  readonly captions: number;
  readonly tokens: number;
  readonly guided: boolean;
}

const SHAPES: readonly Shape[] = [
  { captions: 1, tokens: 24, guided: true },
  { captions: 8, tokens: 24, guided: true },
  { captions: 16, tokens: 120, guided: false },
  { captions: 16, tokens: 120, guided: true },
];

/** What software adapters do in seconds. */
const SMALL: GptConfig = parseGptConfig({
  ...{ model_type: 't2i', dim: 320, n_layer: 6, n_head: 5, vocab_size: 1024, block_size: 144 },
  ...{ caption_dim: 256, cls_token_num: 24 },
});

/** Two for each caption. */
const SLOTS = 32;

export async function measurePrefill(session: Session): Promise<PrefillResult> {
  const isSmall = session.software || session.settings.quick;
  const config = isSmall ? SMALL : gptConfig('GPT-XL', 16, 't2i');
  const shapes = SHAPES.filter(({ tokens }) => tokens <= config.clsTokenNum);
  const cases = await session.use((d) => measureShapes(session, d, config, shapes));
  const { nLayer, dim } = config;
  return { model: `text-conditional decoder of ${nLayer} layers of ${dim}`, cases };
}

async function measureShapes(
  session: Session,
  { device, memory }: BenchDevice,
  config: GptConfig,
  shapes: readonly Shape[],
): Promise<PrefillCase[]> {
  const precision = session.precision(device);
  const network = await randomNetwork(memory, config, precision, (g) =>
    gptGraphs(g, config, { rows: 1, slots: 1 }, precision),
  );
  const cases: PrefillCase[] = [];
  for (const shape of shapes) {
    const slots = await createSlots(network, SLOTS, SLOTS);
    const prefill = new Prefill(network, slots);
    const captioned = captionedOf(config, shape);
    const rows = captioned.flatMap((one) => rowsToFill(config, SLOTS, one)).length;
    const same = new SameCheck('key or value');
    const times = await repeat(session.settings.runs, async (run) => {
      const { ms } = await timed(async () => {
        await prefill.run(captioned);
        await device.queue.onSubmittedWorkDone();
      });
      const cache = slots.buffer(`layers.${config.nLayer - 1}.kv`);
      const words = new Uint32Array(await readBuffer(memory, cache));
      if (!words.some((word) => word !== 0 && word !== NO_ROW)) {
        throw new Refusal('the cache is empty: nothing is reported');
      }
      same.check(`prefill ${run}`, 0, words);
      return ms;
    });
    prefill.destroy();
    slots.destroy();
    const ms = timing(times);
    const { captions, tokens, guided } = shape;
    const name = `${captions} x ${tokens} tokens${guided ? ', guided' : ''}`;
    cases.push({ name, rows, ms, gigaflops: (2 * rows * layerValues(config)) / ms.min / 1e6 });
  }
  return cases;
}

function captionedOf(
  { captionDim: dim }: GptConfig,
  { captions, tokens, guided }: Shape,
): Captioned[] {
  const next = uniform(1);
  return Array.from({ length: captions }, (_, i) => ({
    slot: 2 * i,
    uncondSlot: guided ? 2 * i + 1 : undefined,
    caption: {
      values: Float32Array.from({ length: tokens * dim }, () => next() - 0.5),
      tokens,
      dim,
    },
  }));
}

/** Values of the matrices that rows are multiplied with; the last layer ends with its cache. */
function layerValues({ nLayer, dim, hiddenDim, nHead, nKvHead, headDim }: GptConfig): number {
  const qkv = (nHead + 2 * nKvHead) * headDim * dim;
  return nLayer * qkv + (nLayer - 1) * (dim * dim + 3 * dim * hiddenDim);
}

export const prefillTables = ({ model, cases }: PrefillResult): Table[] => [
  columns(model, cases, {
    rows: ({ rows }) => formatNumber(rows),
    'first, ms': ({ ms }) => formatNumber(ms.first),
    'best, ms': ({ ms }) => formatNumber(ms.min),
    'median, ms': ({ ms }) => formatNumber(ms.median),
    'products, GFLOP/s': ({ gigaflops }) => formatNumber(gigaflops),
  }),
];
