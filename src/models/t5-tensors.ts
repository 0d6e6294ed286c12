/** Which tensors of a T5 checkpoint its encoder is made of. */

/** The embedding of tokens, under its own name and under that of the encoder, which is the same tensor. */
const SHARED = 'shared.weight';
const ENCODER_TOKENS = 'encoder.embed_tokens.weight';

/** The tensors of the encoder among those of a whole T5, the embedding of tokens once. */
export function t5EncoderTensors(names: Iterable<string>): ReadonlySet<string> {
  const wanted = new Set(
    [...names].filter((name) => name === SHARED || name.startsWith('encoder.')),
  );
  if (wanted.has(SHARED)) wanted.delete(ENCODER_TOKENS);
  return wanted;
}
