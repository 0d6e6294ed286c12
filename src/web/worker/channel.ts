/**
 * Calls over a message channel: each tells values while it runs, ends with an answer or an error, and can be
 * aborted. A library of remote objects has neither streams nor signals nor the classes of errors; with those
 * written beside it, it would be larger than this.
 */
import { onAbort } from '../../engine/on-abort.ts';
import { fromWire, toWire, type WireError } from '../../wire-error.ts';
import type { Calls } from './protocol.ts';

/** One side of a channel: a Worker for its page, the global scope in the worker, or a MessagePort. */
export interface Endpoint {
  postMessage(message: unknown, options: { transfer: Transferable[] }): void;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
}

/** From the page. */
type Asked =
  | { readonly id: number; readonly name: keyof Calls; readonly given: unknown }
  | { readonly id: number; readonly abort: true };

/** From the worker; the last two end a call. */
type Told =
  | { readonly id: number; readonly told: unknown }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: WireError };

/** How a call runs. */
export interface CallOptions<Name extends keyof Calls> {
  readonly signal?: AbortSignal | undefined;
  /** Takes what the call tells meanwhile. */
  readonly onTold?: ((told: Calls[Name]['told']) => void) | undefined;
}

/** The page's side. */
export interface Caller {
  /**
   * @throws What the worker threw, the signal's reason at once, or what the channel was closed with.
   */
  call<Name extends keyof Calls>(
    name: Name,
    given: Calls[Name]['given'],
    options?: CallOptions<Name>,
  ): Promise<Calls[Name]['answer']>;
  /** Ends all calls, also those to come, with an error. */
  close(reason: Error): void;
}

interface Pending {
  onTold(told: unknown): void;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

export function callOver(endpoint: Endpoint): Caller {
  const pending = new Map<number, Pending>();
  const post = (message: Asked): void => endpoint.postMessage(message, { transfer: [] });
  let calls = 0;
  let closed: Error | undefined;
  endpoint.addEventListener('message', ({ data }: MessageEvent<Told>) => {
    const call = pending.get(data.id);
    if (!call) return; // aborted: nobody waits
    if ('told' in data) call.onTold(data.told);
    else if ('answer' in data) call.resolve(data.answer);
    else call.reject(fromWire(data.error));
  });
  return {
    call<Name extends keyof Calls>(
      name: Name,
      given: Calls[Name]['given'],
      { signal, onTold }: CallOptions<Name> = {},
    ) {
      const id = calls++;
      let forget = (): void => {};
      const answer = new Promise<Calls[Name]['answer']>((resolve, reject) => {
        signal?.throwIfAborted();
        if (closed) throw closed;
        post({ id, name, given });
        pending.set(id, { onTold: (told) => onTold?.(told as never), resolve, reject });
        forget = onAbort(signal, () => {
          post({ id, abort: true });
          reject(signal?.reason);
        });
      });
      return answer.finally(() => {
        forget();
        pending.delete(id);
      });
    },
    close(reason) {
      closed ??= reason;
      for (const { reject } of pending.values()) reject(closed);
    },
  };
}

/** What a worker does when it is called: as a generator, or a function that only answers. */
export type Answers = {
  readonly [Name in keyof Calls]: (
    given: Calls[Name]['given'],
    options: {
      readonly signal: AbortSignal;
      /** @param transfer Buffers of `told` that the page is given, not copies of them. */
      tell(told: Calls[Name]['told'], transfer?: Transferable[]): void;
    },
  ) => Promise<Calls[Name]['answer']>;
};

/** The worker's side: answers calls for as long as there is a page. */
export function answerOver(endpoint: Endpoint, answers: Answers): void {
  const running = new Map<number, AbortController>();
  const post = (message: Told, transfer: Transferable[] = []): void =>
    endpoint.postMessage(message, { transfer });
  const answer = async <Name extends keyof Calls>(
    id: number,
    name: Name,
    given: Calls[Name]['given'],
  ): Promise<void> => {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const { signal } = controller;
      const answer = await answers[name](given, {
        signal,
        tell: (told, transfer) => signal.aborted || post({ id, told }, transfer),
      });
      post({ id, answer });
    } catch (error) {
      post({ id, error: toWire(error) });
    } finally {
      running.delete(id);
    }
  };
  endpoint.addEventListener('message', ({ data }: MessageEvent<Asked>) => {
    if ('abort' in data) running.get(data.id)?.abort();
    else void answer(data.id, data.name, data.given as never);
  });
}
