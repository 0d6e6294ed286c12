/** Layout of the KV cache, in one place. */
import { assert, type Binding, type Role } from '../kernel.ts';
import { rowBinding } from '../lib/accessors.ts';
import type { Rules } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';

export interface KvShape {
  /** Independent sequences in the cache; with guidance, two to an image. */
  readonly slots: number;
  readonly nKvHead: number;
  /** Capacity in positions; all of it is allocated once. */
  readonly positions: number;
  /** A multiple of 4. */
  readonly headDim: number;
  readonly kvDtype?: 'f32' | 'f16' | undefined;
}

/** Rules of those parameters. */
export const KV_RULES: Rules<KvShape> = {
  slots: rule.size,
  nKvHead: rule.size,
  positions: rule.size,
  headDim: rule.size,
  kvDtype: rule.optional(rule.floatDtype),
};

/** The cache [2 (k, v), slots, nKvHead, positions, headDim], f32 or packed f16, read by fours. */
export function kvBinding<R extends Role>(role: R, kv: KvShape): Binding<R> {
  const { slots, nKvHead, positions, headDim, kvDtype = 'f32' } = kv;
  assert(headDim % 4 === 0, `kv cache: headDim ${headDim} is not a multiple of 4`);
  return rowBinding(role, [2, slots, nKvHead, positions, headDim], kvDtype);
}

/** `fn kv_row(part, slot, head, position) -> u32`: the row of headDim values; part 0 is k, 1 is v. */
export const kvLib = ({ slots, nKvHead, positions }: KvShape): string => `
fn kv_row(part: u32, slot: u32, head: u32, position: u32) -> u32 {
  return ((part * ${slots}u + slot) * ${nKvHead}u + head) * ${positions}u + position;
}`;
