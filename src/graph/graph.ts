/** A model as an ordered list of kernel calls over tensor handles. Building it touches no GPU. */
import {
  assert,
  type Binding,
  type Bindings,
  type DType,
  type Kernel,
  type Names,
} from '../../kernels/kernel.ts';
import { describe, type Maker, type Tensor, type WeightOrigin } from './tensor.ts';

export interface Node {
  readonly kernel: Kernel;
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** What a call of a kernel is given. */
export type Inputs<B extends Bindings> = Readonly<Record<Names<B, 'in' | 'inout'>, Tensor>>;
/** What a call of a kernel makes. */
export type Outputs<B extends Bindings> = Readonly<Record<Names<B, 'out'>, Tensor>>;

/** Call order is execution order: there is no sorting and no fusion pass. */
export class Graph {
  readonly nodes: Node[] = [];
  readonly #named = new Map<string, Tensor>();

  /** Every weight and state declared so far. */
  get residents(): readonly Tensor[] {
    return [...this.#named.values()];
  }

  /**
   * A tensor loaded by its state-dict name. Asking twice gives the same handle.
   * @param origin What it is loaded from, when it is not the whole tensor of that name.
   */
  weight(name: string, dtype: DType, shape: readonly number[], origin?: WeightOrigin): Tensor {
    return this.#resident({ name, dtype, shape, life: 'weight', origin });
  }

  /** What a kernel makes of the tensor with a state-dict name, once, while it is loaded. */
  madeWeight(name: string, madeBy: Maker): Tensor {
    const { dtype, shape } = madeBy.bindings.out;
    return this.#resident({ name, dtype, shape, life: 'weight', madeBy });
  }

  /** A tensor that keeps its contents between runs. Asking twice gives the same handle. */
  state(name: string, dtype: DType, shape: readonly number[]): Tensor {
    return this.#resident({ name, dtype, shape, life: 'state' });
  }

  /**
   * Appends one kernel call and returns fresh temps for its outputs.
   * @param inputs One tensor for every `in` and `inout` binding of the kernel.
   * @throws RangeError when a tensor is missing, has another shape or dtype, or is bound twice in a
   * call that writes it (WebGPU forbids that).
   */
  call<B extends Bindings>(kernel: Kernel<B>, inputs: Inputs<B>): Outputs<B> {
    const given: Readonly<Record<string, Tensor>> = inputs;
    const tensors: Record<string, Tensor> = {};
    const made: Record<string, Tensor> = {};
    for (const [name, binding] of Object.entries<Binding>(kernel.bindings)) {
      const { role, dtype, shape } = binding;
      if (role === 'out') {
        const label = `${kernel.label}#${this.nodes.length}.${name}`;
        made[name] = { name: label, dtype, shape, life: 'temp' };
      }
      const tensor = made[name] ?? given[name];
      assert(tensor !== undefined, `${kernel.label}: no tensor given for "${name}"`);
      assert(
        tensor.dtype === dtype && String(tensor.shape) === String(shape),
        `${kernel.label}: "${name}" expected ${describe(binding)}, got ${describe(tensor)} from "${tensor.name}"`,
      );
      const other = Object.entries(tensors).find(([, t]) => t === tensor)?.[0];
      assert(
        other === undefined || (role === 'in' && kernel.bindings[other]?.role === 'in'),
        `${kernel.label}: "${tensor.name}" is bound as both "${other}" and "${name}", and one of them writes`,
      );
      assert(
        role === 'in' || tensor.life !== 'weight',
        `${kernel.label}: "${name}" writes the weight "${tensor.name}"`,
      );
      tensors[name] = tensor;
    }
    this.nodes.push({ kernel, tensors });
    return made as Outputs<B>;
  }

  #resident(asked: Tensor): Tensor {
    const { name, life } = asked;
    const tensor = this.#named.get(name) ?? asked;
    assert(
      tensor.life === life && describe(tensor) === describe(asked),
      `"${name}" is already a ${tensor.life} ${describe(tensor)}, asked for a ${life} ${describe(asked)}`,
    );
    this.#named.set(name, tensor);
    return tensor;
  }
}
