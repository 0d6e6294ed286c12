/** GroupNorm of feature maps, in the form that those who read them want. */
import { halvesOfMap } from '../../kernels/conv/halves-of-map.ts';
import type { Kernel, Variant } from '../../kernels/kernel.ts';
import { groupAffine } from '../../kernels/norm/group-affine.ts';
import { groupMoments } from '../../kernels/norm/group-moments.ts';
import { groupNorm } from '../../kernels/norm/group-norm.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';

/** A map and the norm through which it is read. */
export interface Normed {
  readonly x: Tensor;
  readonly groups: number;
  /** What follows the norm: nothing, or v * sigmoid(v). */
  readonly kind: 'plain' | 'swish';
  /** f32 [channels]. */
  readonly weight: Tensor;
  readonly bias: Tensor;
  /** Forms that were made already, so that several readers share them. */
  readonly made: Map<Form, Tensor>;
}

/**
 * - map: the normalised map itself.
 * - affine: mean, scale and bias for kernels that normalise what they read.
 * - halves: the normalised map as `halvesOfMap` makes it; with a border for 3x3 filters.
 */
type Form = 'map' | 'affine' | 'halves' | 'bordered halves';

/** A tensor's sizes under their names. */
export function sizesOf({ name, shape }: Tensor): {
  readonly images: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
} {
  const [images, channels, height, width] = shape;
  if (!images || !channels || !height || !width || shape.length !== 4) {
    throw new RangeError(`"${name}" expected [images, channels, height, width], got [${shape}]`);
  }
  return { images, channels, height, width };
}

/** The output of a kernel of which the type does not say which bindings it has. */
export function outOf(g: Graph, kernel: Kernel, inputs: Readonly<Record<string, Tensor>>): Tensor {
  const { out }: Readonly<Record<string, Tensor>> = g.call(kernel, inputs);
  if (!out) throw new RangeError(`${kernel.label}: makes no "out"`);
  return out;
}

/** The form of a normed map; made once, when it is first wanted. */
export function formOf(g: Graph, normed: Normed, form: Form, variant: Variant): Tensor {
  const known = normed.made.get(form);
  if (known) return known;
  const { x, groups, kind, weight, bias } = normed;
  const sizes = { ...sizesOf(x), groups };
  let made: Tensor;
  if (form === 'map') {
    const kernel = groupNorm({ ...sizes, swish: kind === 'swish', variant });
    made = g.call(kernel, { x, weight, bias }).out;
  } else if (form !== 'affine') {
    const affine = formOf(g, normed, 'affine', variant);
    const border = form === 'bordered halves';
    made = outOf(g, halvesOfMap({ ...sizesOf(x), border, norm: kind }), { x, affine });
  } else {
    const moments = g.call(groupMoments({ ...sizes, variant }), { x }).out;
    made = g.call(groupAffine(sizes), { moments, weight, bias }).out;
  }
  normed.made.set(form, made);
  return made;
}
