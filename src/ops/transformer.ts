/** The operations of a transformer's layer and head, which few rows and many rows make in other ways. */
import type { AttentionShape, AttentionTile } from '../../kernels/attention/attention-tile.ts';
import type { MatrixDType, Variant } from '../../kernels/kernel.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Operation } from './operation.ts';
import type { ProductOpTile } from './product.ts';
import type { Matrix } from './weights.ts';

export interface RowsParams {
  readonly rows: number;
  readonly variant: Variant;
}

export interface ProductParams extends RowsParams {
  readonly inDim: number;
  readonly outDim: number;
  readonly dtype: MatrixDType;
}

export interface NormProductParams extends ProductParams {
  readonly normEps: number;
}

export interface QkvParams extends RowsParams, AttentionShape {
  readonly dim: number;
  readonly normEps: number;
  readonly dtype: MatrixDType;
}

export interface SwigluParams extends RowsParams {
  readonly dim: number;
  readonly hiddenDim: number;
  readonly normEps: number;
  readonly dtype: MatrixDType;
}

/** Rows, and the gain of the RMSNorm through which they are read. */
interface Normed {
  readonly x: Tensor;
  readonly gain: Tensor;
}

export interface QkvInputs extends Normed {
  readonly weight: Matrix;
  readonly rope: Tensor;
  readonly rowTable: Tensor;
  /** Keys and values of the rows are written to it. */
  readonly kv: Tensor;
}

export interface AttentionInputs {
  readonly q: Tensor;
  readonly kv: Tensor;
  readonly rowTable: Tensor;
  /** Of slots that begin with padding. */
  readonly firsts?: Tensor | undefined;
}

export interface AttentionOpParams extends RowsParams, AttentionShape {
  /** Whether slots may begin with padding. Default false. */
  readonly padded?: boolean | undefined;
}

export interface AddInputs {
  readonly x: Tensor;
  readonly weight: Matrix;
  readonly residual: Tensor;
}

export interface TransformerOps {
  /** Queries of the normed rows; their keys and values go into the cache. RoPE is applied to both. */
  readonly qkv: Operation<QkvParams, QkvInputs, ProductOpTile>;
  /** softmax(q k^T / sqrt(headDim)) v over the cached positions of each row. */
  readonly attention: Operation<AttentionOpParams, AttentionInputs, AttentionTile>;
  /** residual + x weight^T. */
  readonly addProduct: Operation<ProductParams, AddInputs, ProductOpTile>;
  /** silu(norm(x) w1^T) * (norm(x) w3^T). */
  readonly swiglu: Operation<
    SwigluParams,
    Normed & { readonly w1: Matrix; readonly w3: Matrix },
    ProductOpTile
  >;
  /** norm(x) weight^T. */
  readonly normProduct: Operation<
    NormProductParams,
    Normed & { readonly weight: Matrix },
    ProductOpTile
  >;
}

/** Columns of q, k and v together. */
export const qkvDim = ({ nHead, nKvHead, headDim }: AttentionShape): number =>
  (nHead + 2 * nKvHead) * headDim;
