/** A report whose output a test can read. */
import { PassThrough } from 'node:stream';
import { Report } from '../../src/cli/report.ts';

export function recordedReport(json = false): {
  readonly report: Report;
  stdout(): string;
  stderr(): string;
  /** What went to stdout, when it is no text. */
  bytes(): Buffer;
} {
  const collect = () => {
    const stream = new PassThrough();
    const parts: Buffer[] = [];
    stream.on('data', (data) => parts.push(data));
    const bytes = () => Buffer.concat(parts);
    const text = () => bytes().toString();
    return { stream: stream as unknown as NodeJS.WriteStream, bytes, text };
  };
  const [out, err] = [collect(), collect()];
  const report = new Report({ json, stdout: out.stream, stderr: err.stream });
  return { report, stdout: out.text, stderr: err.text, bytes: out.bytes };
}
