/** A report whose output a test can read. */
import { PassThrough } from 'node:stream';
import { Report } from '../../src/cli/report.ts';

export function recordedReport(json = false): {
  readonly report: Report;
  stdout(): string;
  stderr(): string;
} {
  const collect = () => {
    const stream = new PassThrough();
    let text = '';
    stream.on('data', (data) => {
      text += data;
    });
    return { stream: stream as unknown as NodeJS.WriteStream, text: () => text };
  };
  const [out, err] = [collect(), collect()];
  const report = new Report({ json, stdout: out.stream, stderr: err.stream });
  return { report, stdout: out.text, stderr: err.text };
}
