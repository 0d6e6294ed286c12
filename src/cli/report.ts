/** What a run says: results on stdout, progress and notes on stderr. */
import { Presets, SingleBar } from 'cli-progress';

/** How far one phase of a run is. */
export interface PhaseProgress {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  /** What was done before the phase began. Default 0. */
  readonly before?: number | undefined;
  /** Since the phase began. */
  readonly elapsedMs: number;
}

/** Where output goes. */
export interface Streams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WriteStream;
}

export interface ReportOptions extends Partial<Streams> {
  /** Keep stdout for one JSON object: everything else goes to stderr. */
  readonly json: boolean;
}

/** Between two progress lines where there is no terminal to redraw. */
const PLAIN_INTERVAL_MS = 10_000;

/** Before this, a rate says little. */
const SETTLED_MS = 300;

const UNITS: Readonly<Record<string, string>> = {
  tokens: 'tokens',
  load: 'MB',
  decode: 'images',
  hash: 'MB',
  download: 'MB',
  convert: 'MB',
  tune: 'kernels',
};

export class Report {
  readonly #options: ReportOptions;
  readonly #stdout: NodeJS.WritableStream;
  readonly #stderr: NodeJS.WriteStream;
  #linesToStderr: boolean;
  #bar: SingleBar | undefined;
  #phase = '';
  /** When the last plain line of each phase was written, by the phase's clock: phases take turns. */
  readonly #plainAt = new Map<string, number>();

  constructor(options: ReportOptions) {
    this.#options = options;
    this.#linesToStderr = options.json;
    this.#stdout = options.stdout ?? process.stdout;
    this.#stderr = options.stderr ?? process.stderr;
  }

  /** One line of the result. */
  line(text: string): void {
    this.stopProgress();
    (this.#linesToStderr ? this.#stderr : this.#stdout).write(`${text}\n`);
  }

  /** Gives standard output to a caller who has bytes for it: lines go to stderr from now on. */
  takeStdout(): NodeJS.WritableStream {
    this.#linesToStderr = true;
    return this.#stdout;
  }

  /** One line beside the result. */
  note(text: string): void {
    this.stopProgress();
    this.#stderr.write(`${text}\n`);
  }

  /** The one JSON object of `--json`. */
  json(value: unknown): void {
    if (this.#options.json) this.#stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** A bar with rate and time left on a terminal; elsewhere a line now and then. */
  progress(progress: PhaseProgress): void {
    if (progress.phase !== this.#phase) {
      this.stopProgress();
      this.#phase = progress.phase;
    }
    if (this.#stderr.isTTY) this.#draw(progress);
    else this.#writePlain(progress);
  }

  #writePlain(progress: PhaseProgress): void {
    const { phase, elapsedMs } = progress;
    const before = this.#plainAt.get(phase) ?? 0;
    // A clock that went back is that of another file, say.
    const last = elapsedMs < before ? 0 : before;
    const isDue = elapsedMs - last >= PLAIN_INTERVAL_MS;
    this.#plainAt.set(phase, isDue ? elapsedMs : last);
    if (isDue) this.#stderr.write(`${phase}: ${describeProgress(progress)}\n`);
  }

  /** Removes the bar, so that lines can follow. */
  stopProgress(): void {
    this.#bar?.stop();
    this.#bar = undefined;
    this.#phase = '';
  }

  #draw(progress: PhaseProgress): void {
    const text = { phase: progress.phase.padEnd(7), text: describeProgress(progress) };
    if (this.#bar) {
      this.#bar.update(progress.done, text);
      return;
    }
    this.#bar = new SingleBar(
      {
        format: '{phase} {bar} {text}',
        stream: this.#stderr,
        barsize: 30,
        clearOnComplete: true,
      },
      Presets.shades_classic,
    );
    this.#bar.start(progress.total, progress.done, text);
  }
}

/** E.g. `128/512 tokens, 81.3 tokens/s, 5 s left`. */
export function describeProgress({
  phase,
  done,
  total,
  before = 0,
  elapsedMs,
}: PhaseProgress): string {
  const unit = UNITS[phase] ?? '';
  const size = unit === 'MB' ? 1e6 : 1;
  const shown = (value: number): string => (value / size).toFixed(size === 1 ? 0 : 1);
  const parts = [`${shown(done)}/${shown(total)}${unit && ` ${unit}`}`];
  if (done > before && elapsedMs >= SETTLED_MS) {
    const perSecond = ((done - before) / elapsedMs) * 1000;
    if (unit) parts.push(`${(perSecond / size).toFixed(1)} ${unit}/s`);
    if (done < total) parts.push(`${duration((total - done) / perSecond)} left`);
  }
  return parts.join(', ');
}

/** Seconds as people read them: `8 s`, `3 min 20 s`, `1 h 05 min`. */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.floor(whole / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** Milliseconds, aligned under each other. */
export function formatMs(ms: number): string {
  return `${ms.toFixed(0).padStart(7)} ms`;
}

/** Bytes in MB (10^6). */
export function formatMB(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** What of an adapter says which it is. */
export type AdapterName = Pick<
  GPUAdapterInfo,
  'vendor' | 'architecture' | 'device' | 'description'
>;

/** E.g. `SwiftShader driver 5.0.0 (google swiftshader, software)`. */
export function describeAdapter(info: AdapterName, software: boolean): string {
  const kind = [info.vendor, info.architecture].filter((word) => word).join(' ');
  const name = info.description || info.device || 'unnamed adapter';
  return `${name} (${[kind, software ? 'software' : 'GPU'].filter((word) => word).join(', ')})`;
}
