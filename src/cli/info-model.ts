/** `llamagen info MODEL`: what a model draws, all of it. */
import type { ModelJson } from '../index.ts';
import { downsampleOf } from '../models/vq-config.ts';
import { openFolder } from '../node/files.ts';
import type { CommonOptions } from './context.ts';
import { readModelJson } from './models.ts';
import type { Report } from './report.ts';

/** Letters of a line, about. */
const LINE = 100;

/** Runs the command, which needs no device. @throws WeightsError when the folder is no model. */
export async function runInfoModel(
  { model: folder }: CommonOptions,
  report: Report,
): Promise<void> {
  const config = await readModelJson(openFolder(folder));
  const { name, description, gpt, vq, classNames, text, sampling, license, trained } = config;
  const pixels = gpt.gridSize * downsampleOf(vq);
  report.line(`model    ${name} (${folder})`);
  report.line(`         ${description}`);
  report.line(`draws    ${drawn(config)}, ${pixels}x${pixels} pixels`);
  for (const line of lines(text?.words ?? classNames)) report.line(`         ${line}`);
  report.line(`licence  ${license}`);
  report.line(`trained  ${trained}`);
  const classes = classNames.length > 0 ? classNames : undefined;
  report.json({ name, folder, description, pixels, classes, text, sampling, license, trained });
}

function drawn({ classNames, text }: ModelJson): string {
  if (!text) return `${classNames.length} classes`;
  const { maxLength, words = [] } = text;
  const known = words.length > 0 ? ` of ${words.length} things it knows` : '';
  return `prompts of up to ${maxLength} tokens${known}`;
}

/** Names with commas between, in lines. */
function lines(names: readonly string[]): string[] {
  const made: string[] = [];
  for (const [i, name] of names.entries()) {
    const word = i < names.length - 1 ? `${name},` : name;
    const last = made.at(-1);
    if (last !== undefined && last.length + word.length < LINE)
      made[made.length - 1] = `${last} ${word}`;
    else made.push(word);
  }
  return made;
}
