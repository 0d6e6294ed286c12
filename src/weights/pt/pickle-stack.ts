/** The stack of the machine that a pickle drives, with its marks and its limits. */
import type { PtValue } from './values.ts';

/** Most lists, dicts and objects; each takes a few hundred bytes for one byte of pickle. */
const MAX_CONTAINERS = 2 ** 18;
/** Most values on the stack, and most open marks. */
const MAX_HEIGHT = 2 ** 20;

export class PickleStack {
  readonly #fail: (message: string) => never;
  readonly #values: PtValue[] = [];
  /** Heights of the stack at the open marks. */
  readonly #marks: number[] = [];
  #containers = 0;

  /** @param fail Throws the error for the pickle. */
  constructor(fail: (message: string) => never) {
    this.#fail = fail;
  }

  /** Values on the stack. */
  get height(): number {
    return this.#values.length;
  }

  /** Opens a mark at this height. */
  mark(): void {
    if (this.#marks.length >= MAX_HEIGHT) this.#tooDeep();
    this.#marks.push(this.#values.length);
  }

  push(value: PtValue): void {
    if (this.#values.length >= MAX_HEIGHT) this.#tooDeep();
    this.#values.push(value);
  }

  /** Pushes something that takes more memory than its bytes in the pickle. */
  pushNew(value: PtValue): void {
    if (++this.#containers > MAX_CONTAINERS) {
      this.#fail(`the pickle has more than ${MAX_CONTAINERS} lists, dicts and objects`);
    }
    this.push(value);
  }

  /** The value on top, which must be above the last mark. */
  top(): PtValue {
    const value = this.#values.at(-1);
    if (value === undefined || this.#values.length <= this.#floor()) return this.#empty();
    return value;
  }

  pop(): PtValue {
    const value = this.top();
    this.#values.pop();
    return value;
  }

  /** The last `count` values, in the order they were pushed. */
  popMany(count: number): PtValue[] {
    const start = this.#values.length - count;
    if (start < this.#floor()) this.#empty();
    return this.#values.splice(start);
  }

  /** The values since the last mark, which is closed. */
  sinceMark(): PtValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) return this.#fail('the pickle closes a mark that it did not open');
    return this.#values.splice(mark);
  }

  /** Drops the top: a value, or a mark that nothing follows. */
  discard(): void {
    if (this.#marks.at(-1) === this.#values.length) this.#marks.pop();
    else this.pop();
  }

  #floor(): number {
    return this.#marks.at(-1) ?? 0;
  }

  #empty(): never {
    return this.#fail('the pickle takes a value from an empty stack');
  }

  #tooDeep(): never {
    return this.#fail('the pickle is nested too deeply');
  }
}
