/** Writes what a run makes while it is made. */

import type { GeneratedImage } from '../index.ts';
import { writeFileAtomic } from '../node/output.ts';
import { imageGrid, type RgbaImage } from '../picture/grid.ts';
import { type MadeBy, pictureText } from '../picture/made.ts';
import { isStdout, shownDestination, writeDestination } from './destinations.ts';
import { writePicture, writeSheet } from './pictures.ts';
import type { Report } from './report.ts';
import { imageLook } from './sheet-look.ts';
import { formatTokens } from './tokens-file.ts';
import type { FolderPlan, WritePlan } from './write-plan.ts';

/** A picture and the tokens it was made of. */
export type DrawnImage = RgbaImage & Pick<GeneratedImage, 'tokens'>;

/** What is kept of an image when it is written. */
type Kept = Pick<DrawnImage, 'tokens'>;

export interface Written<Stats> {
  readonly images: readonly Kept[];
  /** What the run returned. */
  readonly stats: Stats;
  /** As they were given. */
  readonly files: readonly string[];
}

interface Running {
  readonly report: Report;
  readonly signal: AbortSignal;
}

/**
 * Writes every image of a run: into the folder when it is there, or band by band into a sheet that
 * appears at the end. Whatever ends the run, files in the folder stay, and their number is said.
 */
export async function writeAll<Stats>(
  plan: WritePlan,
  made: MadeBy,
  run: AsyncGenerator<DrawnImage, Stats>,
  { report, signal }: Running,
): Promise<Written<Stats>> {
  const { tokensOut } = plan;
  const kept: Kept[] = [];
  let end: { readonly stats: Stats } | undefined;
  async function* images(): AsyncGenerator<DrawnImage, void> {
    for (;;) {
      const { done, value } = await run.next();
      if (done) {
        end = { stats: value };
        return;
      }
      yield value;
      // Whoever asks for the next one is done with this one.
      kept.push({ tokens: value.tokens });
    }
  }
  const files: string[] = [];
  if ('sheet' in plan) {
    const text = pictureText({
      ...made,
      images: plan.images,
      scale: plan.look.scale,
      columns: plan.sheet.columns,
    });
    await writeSheet({ ...plan, report, signal, text }, images());
    files.push(plan.out);
  } else {
    files.push(...(await writeEach(plan, made, images(), { report, signal, kept })));
  }
  if (!end) throw new Error('the run ended before its images');
  if (tokensOut !== undefined) {
    await writeDestination(tokensOut, tokensText(plan, made, kept), report);
    files.push(tokensOut);
  }
  return { images: kept, ...end, files };
}

interface Stopping extends Running {
  /** Those that are written. */
  readonly kept: readonly Kept[];
}

async function writeEach(
  plan: FolderPlan,
  made: MadeBy,
  images: AsyncIterable<DrawnImage>,
  { report, signal, kept }: Stopping,
): Promise<string[]> {
  const { outDir, names } = plan;
  const files: string[] = [];
  // When it is asked to stop and not when it has: a process that takes too long is ended.
  const say = (): void => {
    report.note(`${kept.length} of ${names.length} images are in ${outDir}`);
    if (kept.length > 0) keepTokens(plan, made, kept, report);
  };
  signal.addEventListener('abort', say, { once: true });
  try {
    for await (const image of images) {
      signal.throwIfAborted();
      const [name, its] = [names[files.length], plan.images[files.length]];
      if (!name || !its) throw new Error('more images than were asked for');
      const look = imageLook(plan.look, files.length);
      const text = pictureText({ ...made, images: [its], scale: plan.look.scale });
      files.push(writePicture(outDir, name, imageGrid([image], look), text));
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
function keepTokens(plan: WritePlan, made: MadeBy, kept: readonly Kept[], report: Report): void {
  const { tokensOut } = plan;
  if (tokensOut === undefined) return;
  const text = tokensText(plan, made, kept);
  if (isStdout(tokensOut)) report.takeStdout().write(text);
  else writeFileAtomic(tokensOut, text);
  report.note(`their tokens are in ${shownDestination(tokensOut)}`);
}

function tokensText(
  { gridSize, images: planned }: WritePlan,
  made: MadeBy,
  images: readonly Kept[],
): string {
  const listed = images.flatMap(({ tokens }, i) => {
    const image = planned[i];
    if (!image) return [];
    const { seed } = image;
    const condition = 'prompt' in image ? { prompt: image.prompt } : { class: image.class };
    return [{ ...condition, seed, tokens: [...tokens] }];
  });
  return formatTokens({ grid: [gridSize, gridSize], made, images: listed });
}
