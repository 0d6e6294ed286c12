/**
 * Reads pickles as far as `torch.save` writes them. A pickle is a program for a stack machine; this
 * one makes plain values, knows only the calls of `globals.ts`, keeps what any other would make as an
 * opaque value, and bounds everything that the program can make grow.
 */
import { OPCODES, PROTO, STOP } from './opcodes.ts';
import { EndOfPickle } from './pickle-bytes.ts';
import { PickleMachine } from './pickle-machine.ts';
import type { PtStorage, PtValue } from './values.ts';

export interface Unpickled {
  readonly value: PtValue;
  /** Every storage that it names, by key. */
  readonly storages: ReadonlyMap<string, PtStorage>;
  /** Bytes of the pickle. */
  readonly end: number;
}

/**
 * Reads the pickle at the start of `bytes`.
 * @param where What to call it in messages: the file and the part of it.
 * @returns Undefined when the bytes end before the pickle does.
 * @throws WeightsError that names the place and what is not allowed there.
 */
export function unpickle(where: string, bytes: Uint8Array): Unpickled | undefined {
  try {
    return run(new PickleMachine(where, bytes));
  } catch (error) {
    if (error instanceof EndOfPickle) return undefined;
    throw error;
  }
}

function run(machine: PickleMachine): Unpickled {
  if (machine.in.u8() !== PROTO) machine.fail('expected a pickle of protocol 2 or newer');
  machine.protocol();
  for (;;) {
    machine.opcodeAt = machine.in.position;
    const opcode = machine.in.u8();
    if (opcode === STOP) break;
    const act = OPCODES.get(opcode);
    if (!act) {
      machine.fail(`the opcode 0x${opcode.toString(16)} is not one that a checkpoint needs`);
    }
    act(machine);
  }
  const value = machine.stack.pop();
  if (machine.stack.height > 0) machine.fail(`${machine.stack.height} values were left over`);
  return { value, storages: machine.storages, end: machine.in.position };
}
