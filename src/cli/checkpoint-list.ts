/** `llamagen pull --list`: the official models, and what they take. */
import {
  type CheckpointMemory,
  checkpointMemory,
  roomProblem,
  WEIGHT_DTYPES,
  type WeightDtype,
} from '../catalogue/checkpoint-memory.ts';
import { CHECKPOINTS, type Checkpoint, filesOf } from '../catalogue/checkpoints.ts';
import { downsampleOf } from '../models/vq-config.ts';
import type { AdapterView } from './adapter-view.ts';
import { describeRoom } from './fit.ts';
import type { Report } from './report.ts';

/** One model as `--json` prints it. */
export interface ListedModel {
  readonly name: string;
  readonly files: readonly { readonly repo: string; readonly file: string }[];
  /** Where the T5 that reads prompts is: of its tensors those of the encoder are fetched. */
  readonly t5?: { readonly repo: string; readonly estimatedBytes: number };
  readonly parameters: { readonly gpt?: number; readonly vq: number; readonly t5?: number };
  readonly grid?: number | undefined;
  readonly pixels?: number | undefined;
  readonly downloadBytes: { readonly value: number; readonly estimated: true };
  /** GPU bytes for one guided image at each storage type, and why the adapter cannot hold it. */
  readonly memory: Readonly<
    Partial<Record<WeightDtype, CheckpointMemory & { readonly problem?: string }>>
  >;
}

/** Prints the table; needs no network. */
export function listCheckpoints(report: Report, adapter: AdapterView | undefined): void {
  const models = CHECKPOINTS.map((checkpoint) => listed(checkpoint, adapter));
  const rows = [HEADINGS, ...models.map((model) => [...factsOf(model), holds(model, adapter)])];
  for (const line of columns(rows)) report.line(line);
  report.line('');
  report.line('download  in GB, estimated: the hub says the real size before the first byte comes');
  report.line(
    'f32 ...   GPU memory in GB for one guided image: weights so stored, KV cache, transients',
  );
  report.line(`adapter   ${describeRoom(adapter)}`);
  report.json({ adapter: adapter ?? null, models });
}

/** Prints the table of `docs/checkpoints.md`: the models that can be used, on whatever adapter. */
export function listAsMarkdown(report: Report): void {
  const models = CHECKPOINTS.filter(({ gpt }) => gpt);
  const [headings, ...rows] = [
    FACTS,
    ...models.map((checkpoint) => factsOf(listed(checkpoint, undefined))),
  ].map((cells) => `| ${cells.join(' | ')} |`);
  const line = `|${'---|'.repeat(FACTS.length)}`;
  for (const text of [headings ?? '', line, ...rows]) report.line(text);
}

/** What a model is and takes. */
const FACTS = ['name', 'parameters', 'grid', 'download', ...WEIGHT_DTYPES];
const HEADINGS = [...FACTS, 'this adapter holds'];

function listed(checkpoint: Checkpoint, adapter: AdapterView | undefined): ListedModel {
  const { name, gpt, vq, t5, grid, vqConfig } = checkpoint;
  const files = filesOf(checkpoint);
  const parts = t5 ? [...files, t5] : files;
  const value = parts.reduce((sum, { estimatedBytes }) => sum + estimatedBytes, 0);
  const memory = [...checkpointMemory(checkpoint)].map(([dtype, need]) => {
    const problem = adapter && roomProblem(need, adapter);
    return [dtype, { ...need, problem }] as const;
  });
  return {
    name,
    files: files.map(({ repo, file }) => ({ repo, file })),
    ...(t5 && { t5: { repo: t5.repo, estimatedBytes: t5.estimatedBytes } }),
    parameters: {
      ...(gpt && { gpt: gpt.parameters }),
      vq: vq.parameters,
      ...(t5 && { t5: t5.parameters }),
    },
    ...(grid !== undefined && { grid, pixels: grid * downsampleOf(vqConfig) }),
    downloadBytes: { value, estimated: true },
    memory: Object.fromEntries(memory),
  };
}

function factsOf({ name, parameters, grid, downloadBytes, memory }: ListedModel): string[] {
  return [
    name,
    millions(parameters.gpt ?? parameters.vq),
    grid === undefined ? '-' : `${grid}x${grid}`,
    `~${gigabytes(downloadBytes.value)}`,
    ...WEIGHT_DTYPES.map((dtype) => {
      const need = memory[dtype];
      return need ? gigabytes(need.total) : '-';
    }),
  ];
}

function holds({ memory }: ListedModel, adapter: AdapterView | undefined): string {
  if (!adapter) return 'unknown';
  const all = WEIGHT_DTYPES.filter((dtype) => memory[dtype]);
  const fit = all.filter((dtype) => memory[dtype]?.problem === undefined);
  if (fit.length === all.length) return 'yes';
  return fit.length === 0 ? 'no' : fit.join(' ');
}

/** Lines of cells under each other; all but the first and last column are aligned to the right. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, i) => {
        if (i === row.length - 1) return cell;
        return i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
      })
      .join('  '),
  );
}

const millions = (count: number): string =>
  count < 1e9 ? `${(count / 1e6).toFixed(0)}M` : `${(count / 1e9).toFixed(1)}B`;
const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(2);
