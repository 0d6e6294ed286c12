/** `llamagen decode`: saved tokens back to pixels. */
import { sheetOf } from '../generate/grid.ts';
import { decodeEach } from '../generate/images.ts';
import { loadModel } from '../index.ts';
import { downsampleOf } from '../models/vq-config.ts';
import { openFolder } from '../node/files.ts';
import { type CommonOptions, withDevice } from './context.ts';
import { checkDestinations, keepStdout, shownDestination } from './destinations.ts';
import { follower } from './estimate.ts';
import { readModelJson } from './models.ts';
import { madeImage, pictureText } from './picture-text.ts';
import { assertSheetFits, writeSheet } from './pictures.ts';
import { openProfile, type ProfileOption, reportProfile } from './profile.ts';
import { describeAdapter, formatMs, type Report } from './report.ts';
import { type LookOptions, sheetLook } from './sheet-look.ts';
import { readTokens } from './tokens-file.ts';

export interface DecodeOptions extends CommonOptions, LookOptions {
  readonly tokens: string;
  readonly out: string;
  readonly profile?: ProfileOption;
}

/** Runs the command. The tokens are checked before the weights are read. */
export async function runDecode(
  options: DecodeOptions,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  checkDestinations(options, options);
  const files = openFolder(options.model);
  const { name, gpt, vq, classNames } = await readModelJson(files);
  const limits = { gridSize: gpt.gridSize, codebookSize: vq.codebookSize };
  const { images, made: madeBy } = readTokens(options.tokens, limits);
  const count = images.length;
  const side = gpt.gridSize * downsampleOf(vq);
  const made = images.map((image) => madeImage(image.class, image.seed, classNames));
  const sheet = sheetOf({ count, width: side, height: side, ...sheetLook(made, options) });
  assertSheetFits(sheet, count, 'decode parts of the file of tokens');
  keepStdout(options, report);
  await withDevice(report, async (device, adapter) => {
    const profiler = await openProfile(device, options.profile);
    const endLoad = profiler?.begin('load');
    const start = performance.now();
    const model = await loadModel(device, files, { signal });
    const loadMs = performance.now() - start;
    endLoad?.();
    report.line(`model    ${model.name}`);
    const decodeStart = performance.now();
    const follow = follower(report, count);
    const grids = images.map(({ tokens }) => tokens);
    const pictures = decodeEach(model, grids, {
      signal,
      ...(profiler && { profiler }),
      onProgress: (done, total) => {
        const elapsedMs = performance.now() - decodeStart;
        follow({ phase: 'decode', done, total, elapsedMs });
      },
    });
    const text = pictureText({
      adapter: describeAdapter(adapter, adapter.software),
      ...(madeBy?.model === name && madeBy),
      model: name,
      images: made,
      scale: options.scale,
      columns: sheet.columns,
    });
    await writeSheet({ out: options.out, sheet, report, signal, text }, pictures);
    const decodeMs = performance.now() - decodeStart;
    report.line(`load     ${formatMs(loadMs)}`);
    report.line(`decode   ${formatMs(decodeMs)}  compilation included`);
    report.line(`wrote ${shownDestination(options.out)}`);
    const profile = await reportProfile(report, device, profiler, options.profile);
    report.json({
      adapter,
      model: model.name,
      timings: { load: loadMs, decode: decodeMs },
      files: [options.out],
      ...(profile && { profile }),
    });
  });
}
