/** Where the columns of a qkv product go: q to its tensor, k and v to the cache. */
import { assert, type Binding, type Bindings } from '../kernel.ts';
import { rowWriter } from '../lib/accessors.ts';
import { rowLib } from '../lib/row-table.ts';
import { type KvShape, kvLib } from './kv-cache.ts';
import { ropeLib } from './rope.ts';

/** What is touched: of the cache the keys and values of the rows alone, of the angles next to nothing. */
export const touchedOf = (
  { rope: _, kv, ...others }: Readonly<Record<'rope' | 'kv', Binding>> & Bindings,
  { rows, nKvHead, headDim }: Pick<KvShape, 'nKvHead' | 'headDim'> & { readonly rows: number },
): Bindings => ({ ...others, kv: { ...kv, shape: [2, rows, nKvHead, headDim] } });

/**
 * `fn store(row, i, a)`: stores columns 4i .. 4i+3 of a row of q | k | v, q and k rotated.
 * Needs the bindings `rope`, `rowTable`, `kv` and `q`. Idle rows, and others that stand past the
 * cache, are dropped.
 */
export function qkvStore(params: KvShape & { readonly nHead: number }): string {
  const { nHead, nKvHead, headDim, positions, kvDtype = 'f32' } = params;
  assert(nHead % nKvHead === 0, `qkv: nHead ${nHead} is not a multiple of nKvHead ${nKvHead}`);
  const quadsPerHead = headDim / 4;
  return `${rowLib}
${ropeLib(headDim)}
${kvLib(params)}
${rowWriter({ name: 'kv', dtype: kvDtype, length: headDim })}
${rowWriter({ name: 'q', dtype: 'f32', length: nHead * headDim })}
fn store(row: u32, i: u32, a: vec4f) {
  let slot = rowTable[row].slot;
  let position = rowTable[row].position;
  if (position >= ${positions}u) { return; }
  let head = i / ${quadsPerHead}u;
  let d = i % ${quadsPerHead}u;
  let turned = rotate(a, position, d);
  if (head < ${nHead}u) {
    q_put(row, i, turned);
    return;
  }
  let own = head - ${nHead}u;
  let part = own / ${nKvHead}u;
  kv_put(kv_row(part, slot, own % ${nKvHead}u, position), d, select(turned, a, part == 1u));
}`;
}
