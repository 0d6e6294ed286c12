/** What judges a fault: cases of kernels, each of which can be run with another text. */

/** One case of a kernel. */
export interface Trial {
  readonly kernel: string;
  readonly variant: string;
  readonly label: string;
  /** The text without a fault. */
  readonly code: string;
  /** Elements of all its tensors: smaller cases judge first. */
  readonly elements: number;
  /** What it may take in milliseconds before that is a hang. */
  readonly limitMs?: number;
  /** Runs the case with this text; throws unless all that it wrote is as the oracle has it. */
  readonly check: (device: GPUDevice, code: string) => Promise<void>;
}

/** What a module that judges load exports as `trials`: every case that the device can run. */
export type Trials = (device: GPUDevice) => readonly Trial[] | Promise<readonly Trial[]>;
