/** Decides what the next chunk of passes is: which sequences, at how many positions, in which program, how often. */
import { packRows } from '../../kernels/lib/row-table.ts';
import { packSequences } from '../../kernels/sampler/sequence-table.ts';
import { packWindows } from '../../kernels/sampler/window-table.ts';
import type { Profiler } from '../gpu/profiler.ts';
import type { Model } from '../load/model.ts';
import { noCondition } from '../models/gpt.ts';
import { chunkSize } from './chunk-size.ts';
import type { Feed } from './feed.ts';
import type { Job } from './job.ts';
import type { Passes, PassProgram } from './passes.ts';
import type { Placed } from './placed.ts';
import {
  leading,
  type PlannedPass,
  planPass,
  rowsNeeded,
  rowsOfWindows,
  rowsWanted,
} from './plan-pass.ts';
import { passesToProfiled } from './profiled-steps.ts';
import type { Slots } from './slots.ts';

/** Passes that are submitted together. */
export interface Chunk {
  readonly pass: PassProgram;
  readonly plan: PlannedPass;
  readonly steps: number;
}

export type Next =
  | ({ readonly do: 'submit' } & Chunk)
  /** There is no program at all that could run. */
  | { readonly do: 'build'; readonly rows: number }
  /** It is better to know first how far sequences are. */
  | { readonly do: 'wait' };

interface ChunkParts {
  readonly model: Model;
  readonly slots: Slots;
  readonly passes: Passes;
  readonly feed: Feed;
  readonly jobs: ReadonlyMap<Placed, Job>;
  readonly profiler: Profiler | undefined;
}

export class Chunks {
  readonly #parts: ChunkParts;

  constructor(parts: ChunkParts) {
    this.#parts = parts;
  }

  /** @param drawing Sequences that draw, by age; at least one. */
  next(drawing: readonly Placed[]): Next {
    const { passes, slots, model, feed } = this.#parts;
    const placed = this.#withProgram(drawing);
    const least = rowsNeeded(placed);
    const fitting = (rows: number): number => Math.max(least, Math.min(rows, slots.mostRows));
    const rowsOf = (window: number): number => rowsOfWindows(placed, window);
    const isAuto = placed.some(({ window }) => window === 'auto');
    const auto = isAuto ? passes.bestWindow(rowsOf) : 1;
    const rows = fitting(rowsOf(auto));
    const pass = passes.now(least, rows, fitting(rowsWanted(placed, auto)));
    if (!pass) return { do: 'build', rows };
    const plan = planPass(placed, pass.rows, noCondition(model.config.gpt, slots.count), auto);
    const steps = this.#stepsOf(pass, plan);
    if (steps === 0 && feed.pending > 0) return { do: 'wait' };
    return { do: 'submit', pass, plan, steps: Math.max(1, steps) };
  }

  /**
   * Those for which there is a program: while one for more rows is built, those that came last wait for it and
   * the others go on. All of them where there is none at all.
   */
  #withProgram(drawing: readonly Placed[]): readonly Placed[] {
    const { passes } = this.#parts;
    const needed = rowsNeeded(drawing);
    if (needed <= passes.largest) return drawing;
    const served = leading(drawing, passes.largest);
    if (served.length === 0) return drawing;
    passes.begin(needed);
    return served;
  }

  /** Passes until a request is full, wants to be looked at, or is profiled; no more than a chunk. */
  #stepsOf({ pace }: PassProgram, { counts }: PlannedPass): number {
    const { model, feed, jobs, profiler } = this.#parts;
    const { blockSize } = model.config.gpt;
    const wishes = [...counts].map(([placed, count]) => {
      const { previewEvery, gridEvery } = jobs.get(placed)?.request ?? {};
      return { placed, count, every: [previewEvery, gridEvery] };
    });
    const steps = chunkSize(wishes, blockSize, feed.chunkOf(pace));
    const [oldest] = counts.keys();
    if (!profiler || !oldest) return steps;
    return Math.min(steps, passesToProfiled(oldest, counts.get(oldest) ?? 1, blockSize));
  }
}

/** Writes what the passes of a chunk are about. */
export function writeTables(slots: Slots, plan: PlannedPass, rows: number): void {
  slots.write('rows', packRows(plan.rows, rows));
  slots.write('sequences', packSequences(plan.draws, rows));
  slots.write('windows', packWindows(plan.windows, rows));
}
