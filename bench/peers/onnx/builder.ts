/** Writes ONNX graphs: nodes in order, each named after what it does. */
import type { onnx } from 'onnx-proto';
import proto from 'onnx-proto';

type Dims = readonly number[];
type Attribute = number | string | readonly number[];

const { AttributeProto, ModelProto, TensorProto } = proto.onnx;
const { FLOAT, INT32, INT64 } = TensorProto.DataType;
const TYPES = { float32: FLOAT, int32: INT32, int64: INT64 };
export type ElementType = 'float32' | 'int32' | 'int64';

/** Operators that ONNX itself does not have. */
export const MICROSOFT = 'com.microsoft';

export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Default the standard operators. */
  readonly domain?: typeof MICROSOFT;
}

/** A graph under construction. Handles of values are their names. */
export class OnnxGraph {
  readonly #name: string;
  readonly #nodes: onnx.INodeProto[] = [];
  readonly #constants = new Map<string, onnx.ITensorProto>();
  readonly #inputs: onnx.IValueInfoProto[] = [];
  readonly #outputs: onnx.IValueInfoProto[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  input(name: string, type: ElementType, dims: Dims): string {
    this.#inputs.push(valueInfo(name, type, dims));
    return name;
  }

  /** Makes a value an output under the name it has. */
  output(name: string, type: ElementType, dims: Dims): void {
    this.#outputs.push(valueInfo(name, type, dims));
  }

  /** One node with one result. A fourth argument names it. */
  node(op: string, inputs: readonly string[], options: NodeOptions = {}, name = ''): string {
    const out = name || `${op}_${this.#nodes.length}`;
    this.nodes(op, inputs, [out], options);
    return out;
  }

  /** One node with the results named; an empty input is one left out. */
  nodes(
    op: string,
    input: readonly string[],
    output: readonly string[],
    options: NodeOptions = {},
  ): void {
    const { attributes = {}, domain = '' } = options;
    const attribute = Object.entries(attributes).map(([name, value]) => attributeOf(name, value));
    const name = `${op}_${this.#nodes.length}`;
    this.#nodes.push({
      name,
      opType: op,
      domain,
      input: [...input],
      output: [...output],
      attribute,
    });
  }

  /** A constant of floats. Asking twice for a name gives the first. */
  floats(name: string, dims: Dims, data: Float32Array<ArrayBuffer>): string {
    return this.#constant(
      name,
      FLOAT,
      dims,
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    );
  }

  /** A constant of 64-bit integers: what shapes and axes are made of. */
  integers(...values: readonly number[]): string {
    const data = BigInt64Array.from(values, BigInt);
    return this.#constant(`[${values}]`, INT64, [values.length], new Uint8Array(data.buffer));
  }

  /** A single float. */
  scalar(value: number): string {
    return this.floats(`${value}`, [], Float32Array.of(value));
  }

  reshape(x: string, ...dims: readonly number[]): string {
    return this.node('Reshape', [x, this.integers(...dims)]);
  }

  encode(): Uint8Array {
    const model = ModelProto.create({
      irVersion: 8,
      producerName: 'llamagen-webgpu bench',
      opsetImport: [
        { domain: '', version: 17 },
        { domain: MICROSOFT, version: 1 },
      ],
      graph: {
        name: this.#name,
        node: this.#nodes,
        initializer: [...this.#constants.values()],
        input: this.#inputs,
        output: this.#outputs,
      },
    });
    return ModelProto.encode(model).finish();
  }

  #constant(name: string, dataType: number, dims: Dims, rawData: Uint8Array): string {
    if (!this.#constants.has(name)) {
      this.#constants.set(name, { name, dataType, dims: [...dims], rawData });
    }
    return name;
  }
}

function valueInfo(name: string, type: ElementType, dims: Dims): onnx.IValueInfoProto {
  const dim = dims.map((dimValue) => ({ dimValue }));
  return { name, type: { tensorType: { elemType: TYPES[type], shape: { dim } } } };
}

function attributeOf(name: string, value: Attribute): onnx.IAttributeProto {
  const { AttributeType } = AttributeProto;
  if (typeof value === 'string') {
    return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) };
  }
  if (typeof value !== 'number') return { name, type: AttributeType.INTS, ints: [...value] };
  return Number.isInteger(value)
    ? { name, type: AttributeType.INT, i: value }
    : { name, type: AttributeType.FLOAT, f: value };
}
