/** `model`: the shipped model as users run it, through the library and through the command. */
import { readModelJson } from '../../src/cli/models.ts';
import { openFolder } from '../../src/node/files.ts';
import { Refusal } from '../refusal.ts';
import { SameCheck } from '../same-check.ts';
import type { Session } from '../session.ts';
import { dispatchProblem } from '../step-shape.ts';
import { measureBatch } from './batch.ts';
import { measureCommand } from './command.ts';
import { type BatchReport, batchLines, copyLines, kernelLines, loadLines } from './lines.ts';
import { type LoadResult, measureLoad } from './load.ts';
import { type CopyResult, measureCopy } from './load-copy.ts';

export interface ModelResult {
  readonly model: string;
  readonly load: LoadResult;
  readonly copy: CopyResult;
  readonly batches: readonly BatchReport[];
}

/** @throws Refusal when a step has too many dispatches; Error when runs make different tokens. */
export async function measureModel(session: Session): Promise<ModelResult> {
  const { model, images, runs } = session.settings;
  const files = openFolder(model);
  const config = await readModelJson(files);
  const { load, copy } = await session.use(async ({ device }) => ({
    load: await measureLoad(device, files, runs),
    copy: await measureCopy(device, runs),
  }));
  const tokenCheck = new SameCheck('token');
  const batches: BatchReport[] = [];
  for (const count of images) {
    session.note(`batch of ${count}`);
    const batch = await measureBatch(files, count, runs, tokenCheck, (opened) =>
      session.checkAdapter(opened),
    );
    const command = await measureCommand(model, config, count, runs, tokenCheck);
    batches.push({ ...batch, ...command });
    const problem = dispatchProblem(batch.shape);
    if (problem) throw new Refusal(problem);
  }
  return { model: config.name, load, copy, batches };
}

export function modelLines(
  { model, load, copy, batches }: ModelResult,
  profile: boolean,
): string[] {
  return [
    ...loadLines({ name: model }, load),
    '',
    ...copyLines(copy),
    ...batches.flatMap((batch) => [
      '',
      ...batchLines(batch),
      ...(profile ? kernelLines(batch) : []),
    ]),
  ];
}
