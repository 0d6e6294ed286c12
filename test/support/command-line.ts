/** `llamagen` in this process, for what ends before a device is opened. */
import { PassThrough } from 'node:stream';
import type { Streams } from '../../src/cli/report.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import type { Run } from './llamagen.ts';

/** What a run prints and exits with. */
export async function commandLine(...args: readonly string[]): Promise<Run> {
  const [out, err] = [collector(), collector()];
  const streams: Streams = { stdout: out.stream, stderr: err.stream };
  const stop = { signal: new AbortController().signal, stopped: undefined };
  const code = await runCommandLine(args, stop, streams);
  return { code, stdout: out.text(), stderr: err.text() };
}

function collector() {
  const stream = new PassThrough();
  const text = (): string => String(stream.read() ?? '');
  return { stream: stream as unknown as NodeJS.WriteStream, text };
}
