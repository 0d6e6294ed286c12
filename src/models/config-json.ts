/** A `config.json` beside a checkpoint, as uploads to the model hub have it. */
import { WeightsError } from '../errors.ts';
import type { Scalar } from '../weights/checkpoint.ts';
import { parseJson } from '../weights/json-text.ts';
import { quote } from '../weights/quote.ts';
import type { ArgsSource } from './training-args.ts';

/** Fields that other kinds of models do not have. */
const OWN_FIELDS = ['block_size', 'cls_token_num', 'downsample_size', 'codebook_size'] as const;
/** Longest list kept as text. */
const MAX_LIST = 16;

/**
 * The fields of a config as `PyTorchModelHubMixin` writes it: those of the official ModelArgs. Lists of
 * numbers become text, `[1,2,2,4]`; other objects are left out.
 * @param where What to call the file in messages.
 * @returns Undefined when it is the config of another kind of model.
 * @throws WeightsError when it is no JSON object.
 */
export function parseConfigJson(text: string, where: string): ArgsSource | undefined {
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WeightsError(`${where}: not JSON: ${why} (--ignore args leaves it out)`);
  }
  if (!isObject(json)) {
    throw new WeightsError(
      `${where}: expected an object, got ${quote(json)} (--ignore args leaves it out)`,
    );
  }
  if (isOfAnother(json)) return undefined;
  const values = new Map<string, Scalar>();
  // Models whose only argument is a dict have it under its name.
  for (const part of [json, json.config]) {
    if (!isObject(part)) continue;
    for (const [name, value] of Object.entries(part)) {
      const scalar = scalarOf(value);
      if (scalar !== undefined && !values.has(name)) values.set(name, scalar);
    }
  }
  return { where, values };
}

/** Whether it is one that the library transformers wrote, whose words mean other things. */
function isOfAnother(json: Json): boolean {
  const { architectures, model_type: type } = json;
  const isForeign =
    Array.isArray(architectures) || (typeof type === 'string' && !/^[ct]2i$/.test(type));
  return isForeign && !OWN_FIELDS.some((field) => Object.hasOwn(json, field));
}

function scalarOf(value: unknown): Scalar | undefined {
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) {
    return value as Scalar;
  }
  const isList = Array.isArray(value) && value.length <= MAX_LIST;
  return isList && value.every((item) => typeof item === 'number')
    ? JSON.stringify(value)
    : undefined;
}

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
