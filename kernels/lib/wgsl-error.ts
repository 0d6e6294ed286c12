/** How a WGSL text that does not compile is reported. */

/** What of a `GPUCompilationMessage` is shown; lines and columns count from 1, 0 where none is known. */
export interface WgslError {
  readonly message: string;
  readonly lineNum: number;
  readonly linePos: number;
}

/** Each error on a line after the kernel's label, then the whole text, numbered, with `>` at its lines. */
export function wgslReport(label: string, code: string, errors: readonly WgslError[]): string {
  const reasons = errors.map(
    ({ message, lineNum, linePos }) => `${label}: WGSL ${lineNum}:${linePos}: ${message}`,
  );
  const text = code.split('\n').map((line, i) => {
    const mark = errors.some(({ lineNum }) => lineNum === i + 1) ? '>' : ' ';
    return `${mark}${String(i + 1).padStart(5)} | ${line}`.trimEnd();
  });
  return [...reasons, ...text].join('\n');
}
