/** Errors as the OpenAI API tells them. */
import { DeviceError, OptionError, WeightsError } from '../errors.ts';

/** The kinds that clients tell apart. */
export type ApiErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'rate_limit_error'
  | 'server_error';

/** Body of every answer that is none. */
export interface ApiErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: ApiErrorType;
    /** The field of the request that it is about. */
    readonly param: string | null;
    /** In one word, for programs. */
    readonly code: string | null;
  };
}

interface Details {
  readonly param?: string | undefined;
  readonly code: string;
  /** Seconds after which it may be worth asking again. */
  readonly retryAfter?: number | undefined;
}

const TYPES: Readonly<Record<number, ApiErrorType>> = {
  401: 'authentication_error',
  403: 'permission_error',
  429: 'rate_limit_error',
};

/** What an answer says in place of images. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly retryAfter: number | undefined;
  readonly #details: Details;

  constructor(status: number, message: string, details: Details, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.retryAfter = details.retryAfter;
    this.#details = details;
  }

  get body(): ApiErrorBody {
    const { param = null, code } = this.#details;
    const kind = this.status >= 500 ? 'server_error' : 'invalid_request_error';
    return { error: { message: this.message, type: TYPES[this.status] ?? kind, param, code } };
  }
}

/** A field of a request that cannot be what it is. */
export const badRequest = (message: string, param?: string, code = 'invalid_value'): ApiError =>
  new ApiError(400, message, { param, code });

/** Fields of fastify's own errors and of what its validator finds. */
interface FastifyProblem {
  readonly statusCode?: number;
  readonly code?: string;
  readonly validation?: readonly Violation[];
}

/** What a validator of JSON schemas says of the first thing that is wrong. */
interface Violation {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string | undefined;
}

/** Any error as what is told of it: what is the server's own affair stays in its log. */
export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof OptionError) return optionProblem(error);
  if (error instanceof WeightsError) {
    const message = `the model gave numbers that are no picture: ${error.message}`;
    return new ApiError(500, message, { code: 'model_error' }, { cause: error });
  }
  if (error instanceof DeviceError) {
    const details = { code: `device_${error.problem.replaceAll('-', '_')}`, retryAfter: 10 };
    return new ApiError(503, 'no device can draw now', details, { cause: error });
  }
  const { validation, statusCode = 500, code } = Object(error) as FastifyProblem;
  const [violation] = validation ?? [];
  if (violation) return violationProblem(violation);
  if (statusCode >= 500 || !(error instanceof Error)) {
    const message = 'something went wrong here; the log of the server says what';
    return new ApiError(500, message, { code: 'internal_error' }, { cause: error });
  }
  return new ApiError(statusCode, error.message, { code: CODES[code ?? ''] ?? 'bad_request' });
}

/** Fastify's codes in the words of this API. */
const CODES: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_content_length',
};

/** The library's names of settings, and this API's. */
const FIELDS: Readonly<Record<string, string>> = {
  cfgScale: 'cfg_scale',
  cfgInterval: 'cfg_interval',
  topK: 'top_k',
  topP: 'top_p',
};

/** Messages of the library begin with the option in quotes, where it is one. */
function optionProblem(error: OptionError): ApiError {
  const [, name] = /^"(\w+)"/.exec(error.message) ?? [];
  const isPrompt = error.message.startsWith('the prompt ');
  const field = name === undefined ? isPrompt && 'prompt' : (FIELDS[name] ?? name);
  const message = error.message.replace(/^"\w+"/, `"${field}"`);
  return new ApiError(
    400,
    message,
    { param: field || undefined, code: 'invalid_value' },
    { cause: error },
  );
}

function violationProblem({ keyword, instancePath, params, message }: Violation): ApiError {
  const at = instancePath.slice(1).replaceAll('/', '.');
  if (keyword === 'additionalProperties') {
    const param = String(params.additionalProperty);
    return badRequest(`there is no field "${param}"`, param, 'unknown_parameter');
  }
  if (keyword === 'required') {
    const param = String(params.missingProperty);
    return badRequest(`"${param}" is missing`, param, 'missing_required_parameter');
  }
  const { allowedValues } = params;
  const expected = Array.isArray(allowedValues)
    ? `must be one of ${allowedValues.filter((value) => value !== null).join(', ')}`
    : (message ?? 'is not what it should be');
  const code = keyword === 'type' ? 'invalid_type' : 'invalid_value';
  return badRequest(
    at === '' ? `the body ${expected}` : `"${at}" ${expected}`,
    at || undefined,
    code,
  );
}
