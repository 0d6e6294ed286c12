/** The limits of a machine as people read them. */
import { formatNumber, formatTable, type Row } from '../table.ts';
import type { Limits } from './measure.ts';

export function limitsLines({ clock, bandwidth, products, streams, latency }: Limits): string[] {
  const { copyGBs, kernelCopyGBs, kernelReadGBs, bytes } = bandwidth;
  const fastest = (rates: readonly { name: string; gflops: number }[]) =>
    [...rates].sort((a, b) => b.gflops - a.gflops)[0] ?? { name: '', gflops: 0 };
  const [register, matrix] = [fastest(products.registers), fastest(products.matrices)];
  return [
    ...formatTable([
      [`memory (${formatNumber(bytes / 1e6)} MB), ${clock}`, 'GB/s'],
      ['  copy of a buffer, read and write', formatNumber(copyGBs)],
      ['  copy by a kernel, read and write', formatNumber(kernelCopyGBs)],
      ['  sum by a kernel, read', formatNumber(kernelReadGBs)],
    ]),
    '',
    ...formatTable([
      ['multiply-adds', 'GFLOP/s'],
      [`  in registers (${register.name})`, formatNumber(register.gflops)],
      [
        `  product of ${products.side} x ${products.side} (${matrix.name})`,
        formatNumber(matrix.gflops),
      ],
    ]),
    '',
    ...formatTable([
      ['weights read once for a few rows', 'rows', 'GB/s', 'us', 'best way'],
      ...streams.map(
        (s): Row => [
          `  ${s.dtype} [${s.outDim}, ${s.inDim}]`,
          String(s.rows),
          formatNumber(s.gbs),
          formatNumber(s.us),
          s.way,
        ],
      ),
    ]),
    '',
    ...formatTable([
      ['latency', 'us'],
      ['  one dispatch of an empty kernel, device', formatNumber(latency.dispatchUs)],
      ['  encode one dispatch, JavaScript', formatNumber(latency.encodeUs)],
      ['  submit an empty pass, JavaScript', formatNumber(latency.submitUs)],
      ['  submit and wait', formatNumber(latency.roundTripUs)],
      ['  read back 4 bytes', formatNumber(latency.readbackUs)],
    ]),
  ];
}
