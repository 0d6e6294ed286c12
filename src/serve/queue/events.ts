/** Events on their way from workers to an API process: a stream of Redis, pixels as bytes. */
import type { Redis } from 'ioredis';
import type { WireError } from '../../wire-error.ts';
import type { JobEvent, JobPicture } from '../backend.ts';
import { LEFT_MS } from './records.ts';

/** Events that wait at most; an API process that fell behind asks again for what it missed. */
const MOST_WAITING = 1000;
const READ_COUNT = 64;
/** How long a read waits for something to come. */
const READ_MS = 1000;

/** What happened to a job, or why it has failed. */
export type QueueEvent = JobEvent | { readonly type: 'failed'; readonly error: WireError };

/** An event and who tells it: a job that was taken over has another teller. */
export interface Told {
  readonly job: string;
  readonly by: string;
  readonly event: QueueEvent;
}

/** Tells an API process. */
export async function tell(redis: Redis, stream: string, { job, by, event }: Told): Promise<void> {
  const fields: (string | Buffer)[] = ['job', job, 'by', by];
  if ('picture' in event) {
    const { picture, ...rest } = event;
    const { rgba, width, height } = picture;
    const bytes = Buffer.from(rgba.buffer, rgba.byteOffset, rgba.byteLength);
    fields.push('event', JSON.stringify({ ...rest, picture: { width, height } }), 'rgba', bytes);
  } else fields.push('event', JSON.stringify(event));
  const transaction = redis.multi();
  transaction.xadd(stream, 'MAXLEN', '~', MOST_WAITING, '*', ...fields);
  transaction.pexpire(stream, LEFT_MS);
  const results = await transaction.exec();
  const [error] = results?.find(([problem]) => problem) ?? [];
  if (error) throw error;
}

/**
 * Takes what is told until the connection is closed, each event once.
 * @param redis A connection for this alone: reading waits.
 */
export async function* hear(redis: Redis, stream: string): AsyncGenerator<Told, void> {
  let last = '0-0';
  while (redis.status !== 'end') {
    const read = redis.xreadBuffer('COUNT', READ_COUNT, 'BLOCK', READ_MS, 'STREAMS', stream, last);
    const streams = await read.catch((error) => {
      if (redis.status === 'end') return null;
      throw error;
    });
    const entries = (streams as StreamReply | null)?.[0]?.[1] ?? [];
    const ids = entries.map(([id]) => id.toString());
    for (const [, fields] of entries) {
      const told = toldOf(fields);
      if (told) yield told;
    }
    if (ids.length === 0) continue;
    last = ids.at(-1) ?? last;
    await redis.xdel(stream, ...ids).catch(() => {}); // it disappears by itself too
  }
}

type StreamReply = readonly (readonly [stream: Buffer, entries: readonly StreamEntry[]])[];
type StreamEntry = readonly [id: Buffer, fields: readonly Buffer[]];

/** Nothing where it is no event: others can write there too. */
function toldOf(fields: readonly Buffer[]): Told | undefined {
  const values = new Map<string, Buffer>();
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [name, value] = [fields[i], fields[i + 1]];
    if (name && value) values.set(name.toString(), value);
  }
  const [job, by] = [values.get('job')?.toString(), values.get('by')?.toString()];
  const event = eventOf(values.get('event')?.toString() ?? '', values.get('rgba'));
  if (job === undefined || by === undefined || event === undefined) return undefined;
  return { job, by, event };
}

function eventOf(text: string, rgba: Buffer | undefined): QueueEvent | undefined {
  let event: { readonly type?: unknown; picture?: Partial<JobPicture> };
  try {
    event = Object(JSON.parse(text));
  } catch {
    return undefined;
  }
  if (typeof event.type !== 'string') return undefined;
  if (event.picture) {
    const { width = 0, height = 0 } = event.picture;
    if (rgba?.byteLength !== 4 * width * height) return undefined;
    // A copy of its own: what Redis answered is one large buffer.
    event.picture = { width, height, rgba: new Uint8Array(rgba) };
  }
  return event as QueueEvent;
}
