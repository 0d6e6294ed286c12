/** A pass of a window: several positions of one guided image at once. */
import { packRows } from '../../kernels/lib/row-table.ts';
import { packSequences } from '../../kernels/sampler/sequence-table.ts';
import { packStart, packWindows, progressOf } from '../../kernels/sampler/window-table.ts';
import { passProgram } from '../../src/engine/passes.ts';
import { createSlots } from '../../src/engine/slots.ts';
import { readBuffer } from '../../src/gpu/readback.ts';
import { type SampleOptions, sample } from '../../src/gpu/sample.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { gptDecoder } from '../../src/models/gpt.ts';
import { type GptSize, gptConfig } from '../../src/models/gpt-config.ts';
import { stepFloorMs } from '../generate/steps.ts';
import type { Limits } from '../limits.ts';
import { randomNetwork } from '../random-network.ts';
import { Refusal } from '../refusal.ts';
import type { BenchDevice, Session } from '../session.ts';
import type { Grid } from '../settings.ts';

export interface WindowCase {
  readonly model: GptSize;
  readonly grid: Grid;
  /** Positions. */
  readonly window: number;
}

export interface WindowPassResult extends WindowCase {
  readonly name: string;
  /** Two for each position. */
  readonly rows: number;
  /** On the device, when everything was encoded before. */
  readonly ms: number;
  readonly floorMs: number;
}

export const windowName = ({ model, grid, window }: WindowCase): string =>
  `${model} ${grid}x${grid}, window of ${window}`;

/** A guided image has two slots. */
const SLOTS = 2;
/** Passes that are timed together: with random weights each moves on by a token or two. */
const MOST_PASSES = 16;

/**
 * Times passes from the middle of an image on.
 * @throws Refusal when a pass draws nothing.
 */
export async function measureWindowPass(
  { memory, clock, device }: BenchDevice,
  session: Session,
  limits: Limits,
  one: WindowCase,
): Promise<WindowPassResult> {
  const { model, grid, window } = one;
  const config = gptConfig(model, grid);
  const precision = session.precision(device);
  const rows = SLOTS * window;
  const define = (g: Graph): void => void gptDecoder(g, config, { rows, slots: SLOTS }, precision);
  const network = await randomNetwork(memory, config, precision, define);
  const slots = await createSlots(network, SLOTS, rows);
  const { program } = await passProgram(network, slots, rows);
  const middle = config.blockSize >> 1;
  const reset = (): void => {
    for (const [name, words] of Object.entries(tablesOf(one, middle, config.numClasses))) {
      slots.write(name, words);
    }
  };
  const { leastUs, warmUs } = session.effort;
  const options: SampleOptions = { runs: 3, leastUs, warmUs, most: MOST_PASSES };
  const { us, dispatches } = await sample(clock, options, (pass, index) => {
    if (index === 0) reset(); // ahead of the passes, which are submitted when all are encoded
    program.encode(pass);
  });
  const progress = new Uint32Array(await readBuffer(memory, slots.buffer('progress')));
  const { known, passes } = progressOf(progress, 0);
  if (passes !== dispatches || known < middle + passes) {
    throw new Refusal(
      `${windowName(one)}: ${dispatches} passes, of which ${passes} moved on, from token ${middle} to ${known}`,
    );
  }
  const floorMs = stepFloorMs(define, limits);
  return { ...one, name: windowName(one), rows, ms: us / 1000, floorMs };
}

/** What the slots hold before a pass whose first unknown token is `known`. */
function tablesOf(
  { window }: WindowCase,
  known: number,
  noCondition: number,
): Readonly<Record<string, Uint32Array<ArrayBuffer>>> {
  const stands = Array.from({ length: SLOTS * window }, (_, row) => {
    const slot = Math.floor(row / window);
    const position = known + (row % window);
    return { slot, position, sequence: 0, condition: slot === 0 ? 1 : noCondition };
  });
  const draws = Array.from({ length: window }, (_, row) => ({
    ...{ row, uncondRow: window + row, seed: 7, given: 0, greedy: false },
    ...{ cfgScale: 2, cfgInterval: -1, temperature: 1, topK: 2000, topP: 1 },
  }));
  const all = { sequence: 0, row: 0, uncondRow: window, draw: 0, count: window };
  return {
    rows: packRows(stands),
    sequences: packSequences(draws, SLOTS * window),
    windows: packWindows([all], SLOTS * window),
    progress: packStart(0, known),
  };
}
