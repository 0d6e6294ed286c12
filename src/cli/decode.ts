/** `llamagen decode`: saved tokens back to pixels. */
import { imageGrid } from '../generate/grid.ts';
import { decodeTokens, loadModel } from '../index.ts';
import { openFolder } from '../node/files.ts';
import { assertWritable, writeFileAtomic } from '../node/output.ts';
import { encodePng } from '../node/png.ts';
import { type CommonOptions, withDevice } from './context.ts';
import { readModelJson } from './models.ts';
import { checkProfile, openProfile, type ProfileOption, reportProfile } from './profile.ts';
import { formatMs, type Report } from './report.ts';
import { readTokens } from './tokens-file.ts';

export interface DecodeOptions extends CommonOptions {
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
  assertWritable(options.out);
  checkProfile(options.profile, [options.out]);
  const files = openFolder(options.model);
  const { gpt, vq } = await readModelJson(files);
  const limits = { gridSize: gpt.gridSize, codebookSize: vq.codebookSize };
  const { images } = readTokens(options.tokens, limits);
  await withDevice(report, async (device, adapter) => {
    const profiler = await openProfile(device, options.profile);
    const endLoad = profiler?.begin('load');
    const start = performance.now();
    const model = await loadModel(device, files, { signal });
    const loadMs = performance.now() - start;
    endLoad?.();
    report.line(`model    ${model.name}`);
    const decodeStart = performance.now();
    const decoded = await decodeTokens(
      model,
      images.map(({ tokens }) => tokens),
      {
        signal,
        ...(profiler && { profiler }),
        onProgress: (done, total) => {
          const elapsedMs = performance.now() - decodeStart;
          report.progress({ phase: 'decode', done, total, elapsedMs });
        },
      },
    );
    const decodeMs = performance.now() - decodeStart;
    const png = encodePng(imageGrid(decoded));
    signal.throwIfAborted();
    writeFileAtomic(options.out, png);
    report.line(`load     ${formatMs(loadMs)}`);
    report.line(`decode   ${formatMs(decodeMs)}  compilation included`);
    report.line(`wrote ${options.out}`);
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
