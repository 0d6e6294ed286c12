/** Writes what a run makes while it is made. */
import type { Sheet } from '../generate/grid.ts';
import type { GeneratedImage, GenerateStats } from '../index.ts';
import { writeFileAtomic } from '../node/output.ts';
import { isStdout, shownDestination, writeDestination } from './destinations.ts';
import { writePicture, writeSheet } from './pictures.ts';
import type { Report } from './report.ts';
import { formatTokens } from './tokens-file.ts';

export interface WritePlan {
  /** The file of the sheet, unless there is a folder. */
  readonly out: string;
  readonly outDir: string | undefined;
  readonly tokensOut: string | undefined;
  /** Of the images, files in the folder. */
  readonly names: readonly string[];
  readonly sheet: Sheet;
  /** Rows of each token grid. */
  readonly gridSize: number;
}

/** What is kept of an image when it is written. */
type Kept = Pick<GeneratedImage, 'classIndex' | 'seed' | 'tokens'>;

export interface Written {
  readonly images: readonly Kept[];
  readonly stats: GenerateStats;
  /** As they were given. */
  readonly files: readonly string[];
}

type Images = AsyncGenerator<GeneratedImage, GenerateStats>;

/**
 * Writes every image of a run: into the folder when it is there, or band by band into a sheet that
 * appears at the end. Whatever ends the run, files in the folder stay, and their number is said.
 */
export async function writeAll(
  plan: WritePlan,
  run: Images,
  report: Report,
  signal: AbortSignal,
): Promise<Written> {
  const { tokensOut } = plan;
  const kept: Kept[] = [];
  let stats: GenerateStats | undefined;
  async function* images(): AsyncGenerator<GeneratedImage, void> {
    for (;;) {
      const { done, value } = await run.next();
      if (done) {
        stats = value;
        return;
      }
      yield value;
      // Whoever asks for the next one is done with this one.
      const { classIndex, seed, tokens } = value;
      kept.push({ classIndex, seed, tokens });
    }
  }
  const files: string[] = [];
  if (plan.outDir === undefined) {
    await writeSheet({ ...plan, report, signal }, images());
    files.push(plan.out);
  } else {
    files.push(...(await writeEach(plan, plan.outDir, images(), { report, signal, kept })));
  }
  if (!stats) throw new Error('the run ended before its images');
  if (tokensOut !== undefined) {
    await writeDestination(tokensOut, tokensText(plan, kept), report);
    files.push(tokensOut);
  }
  return { images: kept, stats, files };
}

interface Stopping {
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Those that are written. */
  readonly kept: readonly Kept[];
}

async function writeEach(
  plan: WritePlan,
  outDir: string,
  images: AsyncIterable<GeneratedImage>,
  { report, signal, kept }: Stopping,
): Promise<string[]> {
  const { names } = plan;
  const files: string[] = [];
  // When it is asked to stop and not when it has: a process that takes too long is ended.
  const say = (): void => {
    report.note(`${kept.length} of ${names.length} images are in ${outDir}`);
    if (kept.length > 0) keepTokens(plan, kept, report);
  };
  signal.addEventListener('abort', say, { once: true });
  try {
    for await (const image of images) {
      signal.throwIfAborted();
      const name = names[files.length];
      if (name === undefined) throw new Error('more images than were asked for');
      files.push(writePicture(outDir, name, image));
    }
    return files;
  } catch (error) {
    if (!signal.aborted) say();
    throw error;
  } finally {
    signal.removeEventListener('abort', say);
  }
}

/** The tokens of a run that ends early, written at once. */
function keepTokens(plan: WritePlan, kept: readonly Kept[], report: Report): void {
  const { tokensOut } = plan;
  if (tokensOut === undefined) return;
  const text = tokensText(plan, kept);
  if (isStdout(tokensOut)) report.takeStdout().write(text);
  else writeFileAtomic(tokensOut, text);
  report.note(`their tokens are in ${shownDestination(tokensOut)}`);
}

function tokensText({ gridSize }: WritePlan, images: readonly Kept[]): string {
  const listed = images.map(({ classIndex, seed, tokens }) => ({
    class: classIndex,
    seed,
    tokens: [...tokens],
  }));
  return formatTokens({ grid: [gridSize, gridSize], images: listed });
}
