/** What happened when, as a file that Perfetto and chrome://tracing open. Pure. */

/** Something that took time. */
export interface Span {
  readonly name: string;
  /** Microseconds on the clock of `performance.now()`. */
  readonly beginUs: number;
  readonly endUs: number;
  /** Shown beside it. */
  readonly facts?: Readonly<Record<string, string | number>> | undefined;
}

/** Spans that are one above the other or one after the other. */
export interface Track {
  readonly name: string;
  readonly spans: readonly Span[];
}

/**
 * The Trace Event Format: complete events (`X`), a thread for each track, times from the first span.
 * Source: "Trace Event Format", Chromium project.
 */
export function chromeTrace(process: string, tracks: readonly Track[]): string {
  const zero = tracks.reduce(
    (least, { spans }) => spans.reduce((min, { beginUs }) => Math.min(min, beginUs), least),
    Number.POSITIVE_INFINITY,
  );
  const pid = 1;
  const named = (name: string, tid: number, value: string) => ({
    ph: 'M',
    name,
    pid,
    tid,
    args: { name: value },
  });
  const traceEvents = [
    named('process_name', 0, process),
    ...tracks.flatMap(({ name, spans }, i) => [
      named('thread_name', i + 1, name),
      ...spans.map((span) => ({
        ph: 'X',
        name: span.name,
        pid,
        tid: i + 1,
        ts: rounded(span.beginUs - zero),
        dur: rounded(span.endUs - span.beginUs),
        args: span.facts,
      })),
    ]),
  ];
  return `${JSON.stringify({ displayTimeUnit: 'ms', traceEvents })}\n`;
}

/** To nanoseconds: more digits would only make the file longer. */
const rounded = (us: number): number => Math.round(us * 1000) / 1000;
