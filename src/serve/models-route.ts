/** `GET /v1/models`: the models that there are, by their names and by those that mean them. */
import type { FastifyInstance } from 'fastify';
import { ApiError } from './api-error.ts';
import type { Backend, ServedModel } from './backend.ts';

export function addModels(
  app: FastifyInstance,
  backend: Backend,
  aliases: ReadonlyMap<string, string>,
): void {
  // Those of workers behind a queue come and go.
  const find = (id: string): ServedModel | undefined =>
    backend.models.find(({ name }) => name === (aliases.get(id) ?? id));
  app.get('/v1/models', { schema: { summary: 'List the models' } }, () => ({
    object: 'list',
    data: [...backend.models.map(({ name }) => name), ...aliases.keys()].flatMap((id) => {
      const model = find(id);
      return model ? [entryOf(id, model)] : [];
    }),
  }));
  app.get<{ Params: { model: string } }>(
    '/v1/models/:model',
    {
      schema: {
        summary: 'One model, with the names of its classes',
        params: { type: 'object', properties: { model: { type: 'string' } } },
      },
    },
    ({ params }) => {
      const model = find(params.model);
      if (model) return { ...entryOf(params.model, model), ...factsOf(model) };
      const message = `the model "${params.model}" does not exist here`;
      throw new ApiError(404, message, { param: 'model', code: 'model_not_found' });
    },
  );
}

const entryOf = (id: string, { created }: ServedModel): object => ({
  ...{ id, object: 'model', created, owned_by: 'llamagen' },
});

/** What is beyond the OpenAI API. */
const factsOf = (model: ServedModel): object => ({
  name: model.name,
  description: model.description,
  size: `${model.width}x${model.height}`,
  ...(model.modelType === 'c2i' ? { classes: model.classNames } : { words: model.text?.words }),
  adapter: model.adapter,
  fingerprint: model.fingerprint,
});
