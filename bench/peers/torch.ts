/** `torch`: compiled steps and the image decoder in PyTorch, where the machine has it and CUDA. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { formatNumber, type Table } from '../table.ts';

export interface TorchResult {
  readonly rows: readonly TorchRow[];
  /** Why there are none, or no more. */
  readonly reason?: string;
}

export interface TorchRow {
  /** Version of PyTorch. */
  readonly torch: string;
  readonly device: string;
  readonly name: string;
  /** A step, or a run of the image decoder. */
  readonly ms: number;
}

const SCRIPT = fileURLToPath(new URL('./torch_step.py', import.meta.url));
/** Begins nothing new after this; ended after twice as long. */
const BUDGET_S = 45;

/** @param command What runs the script. */
export async function measureTorch(
  command: string = 'python3',
  script: string = SCRIPT,
): Promise<TorchResult> {
  const child = spawn(command, [script, '--budget', String(BUDGET_S)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 2000 * BUDGET_S,
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => (stdout += text));
  child.stderr.on('data', (text) => (stderr += text));
  try {
    const [code] = await once(child, 'close');
    const rows = stdout.split('\n').flatMap(rowOf);
    if (code === 0) return { rows };
    return { rows, reason: stderr.trim().split('\n').at(-1) || `the script ended with ${code}` };
  } catch (error) {
    return { rows: [], reason: error instanceof Error ? error.message : String(error) };
  }
}

/** A line of the script; others are warnings. */
function rowOf(line: string): TorchRow[] {
  try {
    const { torch, device, name, ms } = JSON.parse(line) as Partial<TorchRow>;
    if (torch === undefined || device === undefined) return [];
    return name === undefined || ms === undefined ? [] : [{ torch, device, name, ms }];
  } catch {
    return [];
  }
}

export const torchTables = ({ rows: [first, ...others] }: TorchResult): Table[] =>
  first
    ? [
        [
          [`PyTorch ${first.torch}, ${first.device}`, 'ms'],
          ...[first, ...others].map(({ name, ms }) => [`  ${name}`, formatNumber(ms)] as const),
        ],
      ]
    : [];

export const torchNotes = ({ reason }: TorchResult): string[] =>
  reason === undefined ? [] : [`PyTorch: ${reason}`];
