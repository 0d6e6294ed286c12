/** `llamagen embed`: prompts to a file of features. */
import { OptionError } from '../errors.ts';
import { featuresFile } from '../generate/features-file.ts';
import { openFolder } from '../node/files.ts';
import { oneLine } from '../picture/made.ts';
import { captionsOf } from './captions.ts';
import { conditionOf, modelFor, noteTexts } from './condition.ts';
import { type OutputOptions, withDevice } from './context.ts';
import {
  checkDestinations,
  keepStdout,
  shownDestination,
  writeDestination,
} from './destinations.ts';
import { readModelJson } from './models.ts';
import type { PromptArguments } from './prompt-lines.ts';
import type { Report } from './report.ts';

export interface EmbedOptions extends OutputOptions, PromptArguments {
  /** Folder of the model. Default: the shipped text model. */
  readonly model?: string | undefined;
  /** A safetensors file. */
  readonly out: string;
}

/** Runs the command. The prompts are read and checked before the encoder is loaded. */
export async function runEmbed(
  options: EmbedOptions,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const { prompt, prompts, out } = options;
  if (prompt === undefined && prompts === undefined) {
    throw new OptionError('which prompts? give --prompt TEXT or --prompts FILE');
  }
  const folder = modelFor(options.model, { prompt, prompts });
  const config = await readModelJson(openFolder(folder));
  const condition = await conditionOf(folder, config, { prompt, prompts });
  if (!('prompts' in condition)) throw new Error('prompts were asked for');
  const destinations = { featuresOut: out, json: options.json };
  checkDestinations(destinations, { model: folder, prompts });
  keepStdout(destinations, report);
  noteTexts(condition, config, report);
  await withDevice(report, async (device, adapter, { kernels }) => {
    const where = { device, kernels, folder, report, signal };
    const { features, encoder, textMs, fromCache } = await captionsOf(condition, where);
    const { prompts: texts } = condition;
    const kept = features.map((each, i) => ({ ...each, prompt: texts[i]?.prompt }));
    await writeDestination(out, featuresFile({ features: kept, encoder }), report);
    for (const [i, { text, ids }] of texts.entries()) {
      report.line(`prompt ${i} ${ids.length} tokens: ${oneLine(text)}`);
    }
    report.line(`wrote ${shownDestination(out)}`);
    report.json({
      adapter,
      model: config.name,
      encoder,
      texts: texts.map(({ prompt: given, text, ids, cut }) => ({
        ...{ prompt: given, text, tokens: ids.length, cut },
      })),
      fromCache,
      timings: { text: textMs },
      file: out,
    });
  });
}
