/** `tokenizer.json` of Hugging Face's tokenizers, as far as SentencePiece's unigram models need it. */
import { WeightsError } from '../errors.ts';
import { type Charsmap, readCharsmap } from './charsmap.ts';
import { BLANK } from './normalize.ts';
import type { Vocabulary } from './unigram.ts';

/** What a tokenizer of T5's kind is made of. */
export interface UnigramJson {
  readonly vocabulary: Vocabulary;
  readonly charsmap: Charsmap | undefined;
  /** The id that ends a text. */
  readonly end: number;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * @param where the file's name, for errors
 * @throws WeightsError when it is no unigram tokenizer, or one that cuts differently from T5's
 */
export function readTokenizerJson(json: unknown, where: string): UnigramJson {
  const file = typeof json === 'string' ? parse(json, where) : json;
  if (!isObject(file)) throw broken(where, `expected a JSON object, got ${kindOf(file)}`);
  const model = file.model;
  if (!isObject(model)) throw broken(where, 'it has no "model"');
  checkKind(model, where);
  checkBlanks(file.pre_tokenizer, where);
  const pieces = piecesOf(model.vocab, where);
  const unknown = model.unk_id;
  if (!isId(unknown, pieces.length)) {
    throw broken(where, `"unk_id" is no id of its ${pieces.length} pieces: ${unknown}`);
  }
  const end = endOf(file.post_processor, pieces, where);
  const control = new Set([unknown, end, ...addedIds(file.added_tokens)]);
  return { vocabulary: { pieces, unknown, control }, charsmap: charsmapOf(file, where), end };
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw broken(where, cause instanceof Error ? cause.message : 'it is no JSON', cause);
  }
}

function checkKind(model: Json, where: string): void {
  const kind = model.type ?? (Array.isArray(model.vocab) ? 'Unigram' : undefined);
  if (kind !== 'Unigram') {
    throw new WeightsError(
      `${where}: a tokenizer of kind "${kind}"; captions need T5's, "Unigram" (SentencePiece)`,
    );
  }
  if (model.byte_fallback === true) {
    throw new WeightsError(`${where}: a tokenizer with "byte_fallback", which T5's has not`);
  }
}

function piecesOf(vocab: unknown, where: string): [string, number][] {
  if (!Array.isArray(vocab) || vocab.length === 0) {
    throw broken(where, '"model.vocab" is no list of pieces and scores');
  }
  return vocab.map((entry: unknown, id) => {
    const [piece, score]: unknown[] = Array.isArray(entry) ? entry : [];
    if (typeof piece !== 'string' || piece === '' || !Number.isFinite(score)) {
      throw broken(where, `piece ${id} of "model.vocab" is no text with a finite score`);
    }
    return [piece, Number(score)];
  });
}

/** The token that the template of a single text puts behind it. */
function endOf(processor: unknown, pieces: readonly [string, number][], where: string): number {
  const template = isObject(processor) ? processor.single : undefined;
  const last: unknown = Array.isArray(template) ? template.at(-1) : undefined;
  const special = isObject(last) ? last.SpecialToken : undefined;
  const name = isObject(special) ? special.id : undefined;
  const end = pieces.findIndex(([piece]) => piece === name);
  if (end < 0) {
    throw new WeightsError(
      `${where}: no end token: "post_processor.single" must end with a special token of the vocabulary, as T5's does with "</s>"`,
    );
  }
  if (Array.isArray(template) && template.length !== 2) {
    throw new WeightsError(`${where}: "post_processor" puts more around a text than an end token`);
  }
  return end;
}

const addedIds = (tokens: unknown): number[] =>
  (Array.isArray(tokens) ? tokens : []).flatMap((token: unknown) =>
    isObject(token) && typeof token.id === 'number' ? [token.id] : [],
  );

/** The table of replacements; what else normalizers of T5 do with blanks is done anyway. */
function charsmapOf(file: Json, where: string): Charsmap | undefined {
  const steps = stepsOf(file.normalizer, 'normalizers');
  let charsmap: Charsmap | undefined;
  for (const step of steps) {
    const type = step.type;
    if (type === 'Precompiled') {
      charsmap = readCharsmap(fromBase64(step.precompiled_charsmap, where));
    } else if (type !== 'Strip' && !(type === 'Replace' && joinsBlanks(step))) {
      throw new WeightsError(
        `${where}: a normalizer "${type}"; T5's is "Precompiled" (SentencePiece's table)`,
      );
    }
  }
  return charsmap;
}

/** Whether a step makes several blanks one. */
function joinsBlanks({ pattern, content }: Json): boolean {
  const regex = isObject(pattern) ? pattern.Regex : undefined;
  return regex === ' {2,}' && (content === ' ' || content === BLANK);
}

function checkBlanks(preTokenizer: unknown, where: string): void {
  const steps = stepsOf(preTokenizer, 'pretokenizers');
  const metaspace = steps.find(({ type }) => type === 'Metaspace');
  const others = steps.filter(({ type }) => type !== 'Metaspace' && type !== 'WhitespaceSplit');
  if (!metaspace || others.length > 0) {
    const types = steps.map(({ type }) => `"${type}"`).join(', ') || 'none';
    throw new WeightsError(`${where}: pre-tokenizers ${types}; T5's is "Metaspace"`);
  }
  const { replacement, add_prefix_space: prefix, prepend_scheme: scheme } = metaspace;
  if ((replacement ?? BLANK) !== BLANK || prefix === false || scheme === 'never') {
    throw new WeightsError(
      `${where}: "Metaspace" must write blanks as "${BLANK}" and put one before a text, as T5's does`,
    );
  }
}

/** A step by itself, or those of a sequence. */
function stepsOf(step: unknown, list: string): Json[] {
  if (!isObject(step)) return [];
  const steps = step.type === 'Sequence' ? step[list] : [step];
  return Array.isArray(steps) ? steps.filter(isObject) : [];
}

function fromBase64(text: unknown, where: string): Uint8Array {
  try {
    if (typeof text !== 'string') throw new TypeError('it is no text');
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw broken(where, '"precompiled_charsmap" is not in base64', cause);
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isId = (value: unknown, count: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < count;
const kindOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value;

const broken = (where: string, what: string, cause?: unknown): WeightsError =>
  new WeightsError(`${where} is damaged: ${what}; download or export it again`, { cause });
