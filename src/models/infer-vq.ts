/** The config of a tokenizer, off its shapes and the arguments it was trained with. */
import { matchTensors } from '../weights/join.ts';
import { agreed, type Ignorable, type Statement } from './agreement.ts';
import { argsOf, type DescribedTensors, type ModelArgs, Shapes } from './checkpoint-config.ts';
import type { TrainingArgs } from './training-args.ts';
import { downsampleOf, parseVqConfig, VQ_8, VQ_16, type VqConfig } from './vq-config.ts';
import { vqWeightShapes } from './vq-weights.ts';

/** The official names. */
const OFFICIAL = { 'VQ-8': VQ_8, 'VQ-16': VQ_16 } as const;

/**
 * Reads the config of a tokenizer and checks every tensor. Whether the codebook is normalised cannot
 * be seen; it is, as in the official ones, unless the arguments say otherwise.
 * @param ignore What is left out of account.
 * @throws WeightsError when a tensor is missing, unexpected or misshapen, and when shapes and arguments
 * contradict each other.
 */
export function inferVq(
  file: DescribedTensors,
  ignore: readonly Ignorable[] = [],
): { readonly args: ModelArgs; readonly config: VqConfig } {
  const { name } = file;
  const shapes = new Shapes(file);
  const sources = argsOf(file, ignore);
  const ch = shapes.size('encoder.conv_in.weight', 0, VQ_16.ch);
  const multipliers = (part: string): number[] =>
    Array.from(
      { length: shapes.count(new RegExp(`^${part}\\.conv_blocks\\.(\\d+)\\.`)) },
      (_, level) => shapes.size(`${part}.conv_blocks.${level}.res.0.conv1.weight`, 0, ch) / ch,
    );
  /** A size that arguments may name too. */
  const sized = (field: string, tensor: string, axis: number, fallback: number): number => {
    const seen = shapes.says(tensor, (shape) => shape[axis]);
    return agreed(name, field, [seen, ...sources.map((args) => args.saysCount(field))]) ?? fallback;
  };
  const codebook = 'quantize.embedding.weight';
  const args: ModelArgs = {
    ch,
    encoder_ch_mult: multipliers('encoder'),
    decoder_ch_mult: multipliers('decoder').reverse(),
    num_res_blocks: shapes.count(/^encoder\.conv_blocks\.0\.res\.(\d+)\./),
    z_channels: sized('z_channels', 'decoder.conv_in.weight', 1, VQ_16.zChannels),
    codebook_size: sized('codebook_size', codebook, 0, VQ_16.codebookSize),
    codebook_embed_dim: sized('codebook_embed_dim', codebook, 1, VQ_16.codebookEmbedDim),
    codebook_l2_norm:
      agreed(
        name,
        'codebook_l2_norm',
        sources.map((given) => {
          const value = given.flag('codebook_l2_norm');
          return value === undefined ? undefined : given.said(value, ['codebook_l2_norm']);
        }),
      ) ?? true,
    in_channels: shapes.size('encoder.conv_in.weight', 1, VQ_16.inChannels),
    out_channels: shapes.size('decoder.conv_out.weight', 0, VQ_16.outChannels),
  };
  const config = parseVqConfig(args, name);
  agreed(name, 'the levels of the networks', levels(config, sources));
  matchTensors(file, vqWeightShapes(config), { model: 'a LlamaGen tokenizer of its size' });
  return { args, config };
}

/** What shapes and arguments say of the channels of each level, as text; both for the encoder. */
function levels(config: VqConfig, sources: readonly TrainingArgs[]): Statement<string>[] {
  const seen = JSON.stringify(config.encoderChMult);
  const side = downsampleOf(config);
  const text = `levels of ${seen} times ${config.ch} channels, so ${side}x${side} pixels to a token`;
  const said = sources.flatMap((args): Statement<string>[] => {
    const given: Statement<string>[] = [];
    for (const field of ['encoder_ch_mult', 'decoder_ch_mult', 'ch_mult']) {
      const list = args.text(field)?.replace(/\s/g, '');
      if (list?.startsWith('[')) given.push(args.said(list, [field]));
    }
    const model = args.text('vq_model')?.toUpperCase() ?? '';
    if (!Object.hasOwn(OFFICIAL, model)) return given;
    const official = downsampleOf(OFFICIAL[model as keyof typeof OFFICIAL]);
    // Other channels are another model of the same name; other levels another size of images.
    const value = official === side ? seen : model;
    return [...given, args.said(value, ['vq_model'], `${official}x${official} pixels to a token`)];
  });
  return [{ by: 'shapes', value: seen, text }, ...said];
}
