/** `llamagen info FILE.png`: what a picture says about how it was made. */
import { readPngFacts } from '../node/png-read.ts';
import {
  describeSampling,
  fullNameOf,
  type Made,
  type MadeImage,
  readMade,
} from '../picture/made.ts';
import type { OutputOptions } from './context.ts';
import { compareHere } from './fingerprint-here.ts';
import type { Report } from './report.ts';

/** Most pictures of a sheet that are listed; `--json` has them all. */
const MAX_IMAGES = 50;

/** Longest text of a file that is shown. */
const MAX_SHOWN = 400;

export interface PictureOptions extends OutputOptions {
  readonly file: string;
}

/**
 * Runs the command. A picture without such texts is none the worse.
 * @throws OptionError when the file is no PNG, or a damaged one.
 */
export async function runInfoPicture(
  { file }: PictureOptions,
  report: Report,
  _signal?: AbortSignal,
  compare: typeof compareHere = compareHere,
): Promise<void> {
  const { width, height, text } = readPngFacts(file);
  const made = readMade(text);
  report.line(`picture  ${printable(file)}, ${width} x ${height} pixels`);
  for (const line of made ? describeMade(made) : describeOthers(text)) report.line(line);
  const here = made?.fingerprint && (await compare(made.fingerprint, made.model));
  if (here) report.line(`         ${printable(here.says)}`);
  const same = here?.same ?? null;
  report.json({ file, width, height, made: made ?? null, same, text: Object.fromEntries(text) });
}

function describeMade(made: Made): string[] {
  const {
    model,
    dtype,
    adapter,
    images,
    columns,
    scale = 1,
    sampling,
    version,
    fingerprint,
    encoder,
  } = made;
  const sheet = [
    `${images.length} images`,
    ...(columns === undefined ? [] : [`${columns} columns`]),
  ];
  return [
    ...(version === undefined ? [] : [`made by  llamagen-webgpu ${printable(version)}`]),
    `model    ${printable(model)}${dtype === undefined ? '' : ` (${printable(dtype)})`}`,
    ...(encoder === undefined ? [] : [`prompts  by the encoder ${printable(encoder)}`]),
    ...(adapter === undefined ? [] : [`adapter  ${printable(adapter)}`]),
    ...(sampling ? [`sampling ${describeSampling(sampling)}`] : []),
    ...(scale === 1 ? [] : [`scale    ${scale}`]),
    ...(images.length > 1 ? [`sheet    ${sheet.join(', ')}`] : []),
    ...describeImages(images),
    ...(fingerprint === undefined
      ? []
      : [`fingerprint ${printable(fingerprint.digest)}: ${printable(fingerprint.text)}`]),
  ];
}

function describeImages(images: readonly MadeImage[]): string[] {
  const lines = images
    .slice(0, MAX_IMAGES)
    .map((image, i) => `image ${i}  ${printable(fullNameOf(image))}, seed ${image.seed}`);
  const more = images.length - lines.length;
  return more > 0 ? [...lines, `         and ${more} more, which --json lists`] : lines;
}

function describeOthers(text: ReadonlyMap<string, string>): string[] {
  return [
    'made by  not said: llamagen did not make it, or a program that saved it again dropped the text',
    ...[...text].map(([keyword, value]) => `text     ${printable(keyword)}: ${printable(value)}`),
  ];
}

/** Text of a file as one line that cannot steer a terminal. */
function printable(text: string): string {
  const short = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text;
  return short.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ');
}
