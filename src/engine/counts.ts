/** What an engine counts of its own work. */

/** Rows of a program, and those that belonged to a request. */
export interface RowsInUse {
  readonly rows: number;
  readonly rowsInUse: number;
}

export class Counts {
  /** Of the latest chunk that draws. */
  latest: RowsInUse = { rows: 0, rowsInUse: 0 };
  readonly done = { steps: 0, scheduleMs: 0, rowsComputed: 0, rowsFull: 0, images: 0 };

  /** Takes the time of deciding what to run. */
  deciding<T>(decide: () => T): T {
    const begun = performance.now();
    const decided = decide();
    this.done.scheduleMs += performance.now() - begun;
    return decided;
  }

  /** Passes of a program were submitted. */
  submitted(latest: RowsInUse, passes: number): void {
    this.latest = latest;
    this.done.steps += passes;
    this.done.rowsComputed += latest.rows * passes;
    this.done.rowsFull += latest.rowsInUse * passes;
  }
}
