/** The functions of torch that make a tensor from a storage, a tensor or each other. */
import { type Call, type CallContext, isCount } from './calls.ts';
import { DTYPES } from './dtypes.ts';
import { describeValue, PtGlobal, PtObject, PtStorage, PtTensor, type PtValue } from './values.ts';

/** Most dimensions of a tensor (torch allows 64). */
const MAX_RANK = 64;

/** Those that do not call another. */
const REBUILDS: ReadonlyMap<string, Call> = new Map<string, Call>([
  ['torch._utils._rebuild_tensor', rebuildTensor],
  ['torch._utils._rebuild_tensor_v2', rebuildTensor],
  ['torch._utils._rebuild_tensor_v3', rebuildUntyped],
  // A quantiser and requires_grad where others have requires_grad and hooks.
  ['torch._utils._rebuild_qtensor', rebuildTensor],
  ['torch._utils._rebuild_parameter', rebuildParameter],
  ['torch._utils._rebuild_parameter_with_state', rebuildParameter],
]);

/** Types of a tensor that change nothing about its elements. */
const PLAIN_TYPES: ReadonlySet<string> = new Set([
  'torch.Tensor',
  'torch._tensor.Tensor',
  'torch.nn.Parameter',
  'torch.nn.parameter.Parameter',
  'torch.nn.parameter.Buffer',
]);

/** All of them, by name. */
export const TENSOR_CALLS: ReadonlyMap<string, Call> = new Map<string, Call>([
  ...REBUILDS,
  ['torch._tensor._rebuild_from_type', rebuildFromType],
  ['torch._tensor._rebuild_from_type_v2', rebuildFromType],
]);

/** Arguments: storage, offset, size, stride; what follows does not change the elements. */
function rebuildTensor(args: readonly PtValue[], context: CallContext): PtTensor {
  const [storage, offset, size = null, stride = null] = args;
  if (!(storage instanceof PtStorage)) {
    return context.fail(`a tensor expected a storage, got ${describeValue(storage)}`);
  }
  const shape = counts(size, 'size', context);
  const steps = counts(stride, 'stride', context);
  if (!isCount(offset)) {
    return context.fail(`a tensor expected an offset from 0 up, got ${describeValue(offset)}`);
  }
  if (shape.length !== steps.length || shape.length > MAX_RANK) {
    context.fail(`a tensor has size [${shape}] and stride [${steps}]: their lengths differ`);
  }
  return new PtTensor(storage, shape, steps, offset);
}

/** Arguments as above, then requires_grad, hooks and the element type, which counts the offset too. */
function rebuildUntyped(args: readonly PtValue[], context: CallContext): PtTensor | PtObject {
  const { storage, shape, stride, offset } = rebuildTensor(args, context);
  const type = args[6];
  if (!(type instanceof PtGlobal)) {
    return context.fail(`a tensor expected an element type, got ${describeValue(type)}`);
  }
  const dtype = DTYPES.get(type.name);
  if (dtype === undefined) return new PtObject(type);
  return new PtTensor(storage, shape, stride, offset, dtype);
}

/** Arguments: data; requires_grad, hooks and attributes do not change the elements. */
function rebuildParameter([data]: readonly PtValue[], context: CallContext): PtTensor | PtObject {
  if (data instanceof PtTensor || data instanceof PtObject) return data;
  return context.fail(`a parameter expected a tensor, got ${describeValue(data)}`);
}

/** Arguments: a function, the type of its result, its arguments, attributes. */
function rebuildFromType(args: readonly PtValue[], context: CallContext): PtValue {
  const [make, type, inner] = args;
  if (!(make instanceof PtGlobal) || !(type instanceof PtGlobal) || !Array.isArray(inner)) {
    return context.fail(
      `a tensor of a type expected a function, a class and arguments, got ${[make, type, inner].map(describeValue).join(', ')}`,
    );
  }
  // None of them calls another: arguments inside of arguments cannot nest calls.
  const call = REBUILDS.get(make.name);
  if (!call) return new PtObject(make, inner);
  return PLAIN_TYPES.has(type.name) ? call(inner, context) : new PtObject(type, inner);
}

function counts(value: PtValue, what: string, context: CallContext): number[] {
  if (!Array.isArray(value) || value.length > MAX_RANK || !value.every(isCount)) {
    return context.fail(
      `a tensor expected as ${what} at most ${MAX_RANK} whole numbers from 0 up, got ${describeValue(value)}`,
    );
  }
  context.copied(value.length);
  return [...value];
}
