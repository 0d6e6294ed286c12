/**
 * The loop of products of many rows for software adapters with subgroups, where a load costs about as
 * much as six multiply-adds wherever it points (kernels/lib/quad-product.ts). Each invocation has
 * columns of its own; four neighbours load a quarter of the input each and show it to one another. Sums
 * are kept apart and added as those of a span of four, so that both loops give the same bits.
 */
import { ceilDiv, range } from '../kernel.ts';
import { type Layout, loopHead, sumNames } from './product-loop.ts';

/** Invocations that load the input together, and shares of inDim that are summed apart. */
export const QUAD = 4;
const shares = range(QUAD);

const partName = (sum: string, share: number): string => `${sum}_${share}`;

/** Variables `${w}_sum${r}_${q}`, normalised, and the loop that fills them. */
export function quadLoop(layout: Layout): string {
  const { inDim, weights, norm, rowTile, unitQuads, width } = layout;
  const all = ceilDiv(inDim, width);
  const whole = Math.floor(all / QUAD) * QUAD;
  const rows = range(rowTile);
  const names = sumNames(layout, weights);
  const squares = rows.map(
    (r) =>
      `square${r} += quadSwapX(square${r}); square${r} += quadSwapY(square${r}); let scale${r} = scale_or_nan(inverseSqrt(square${r} / f32(${inDim}) + EPS));`,
  );
  const total = (name: string, item: number): string => {
    const scale = norm ? ` * scale${Math.floor(item / unitQuads)}` : '';
    const [a, b, c, d] = shares.map((s) => `${partName(name, s)}${scale}`);
    return `let ${name} = (${a} + ${c}) + (${b} + ${d});`;
  };
  return `let place = lane % ${QUAD}u;
  ${loopHead(layout)}
  ${names
    .flat()
    .flatMap((name) => shares.map((s) => `var ${partName(name, s)} = vec4f();`))
    .join(' ')}
  for (var k = 0u; k < ${whole}u; k += ${QUAD}u) {
    ${whole > 0 ? step(layout, 'k', QUAD) : ''}
  }
  ${whole < all ? `{ ${step(layout, `${whole}u`, all - whole)} }` : ''}
  ${norm ? squares.join(' ') : ''}
  ${names.flatMap((list) => list.map(total)).join('\n  ')}`;
}

/** Adds the products with `count` shares of the input from `k` on, in loads of `width` values. */
function step(layout: Layout, k: string, count: number): string {
  const { weights, norm, columns, rowTile, unitQuads, width } = layout;
  const halves = range(width / 4);
  const mine = count < QUAD ? `min(${k} + place, ${k} + ${count - 1}u)` : `${k} + place`;
  const at = (h: number): string => (width === 4 ? 'mine' : `2u * mine + ${h}u`);
  const part = (name: string, h: number): string => (width === 8 ? `${name}[${h}]` : name);
  const loads = range(rowTile).flatMap((r) =>
    halves.map((h) => {
      const raw = `raw${r}_${h}`;
      const square = `dot(${raw}, ${raw})`;
      const own = norm
        ? `square${r} += ${count < QUAD ? `select(0.0, ${square}, place < ${count}u)` : square}; let own${r}_${h} = ${raw} * gain${h};`
        : `let own${r}_${h} = ${raw};`;
      return `let ${raw} = x_at(row${r}, ${at(h)}); ${own}`;
    }),
  );
  const products = range(count).flatMap((s) => [
    ...weights.flatMap((w) =>
      range(columns).map((c) => `let ${w}_${c}_${s} = ${w}_at(column${c}, ${k} + ${s}u);`),
    ),
    ...range(rowTile).flatMap((r) => [
      ...halves.map((h) => `let v${r}_${h}_${s} = quadBroadcast(own${r}_${h}, ${s}u);`),
      ...weights.flatMap((w) =>
        range(unitQuads).map((q) => {
          const sums = range(4).map((c) => {
            const dots = halves.map(
              (h) => `dot(${part(`${w}_${4 * q + c}_${s}`, h)}, v${r}_${h}_${s})`,
            );
            return width === 8 ? `(${dots.join(' + ')})` : dots.join('');
          });
          return `${partName(`${w}_sum${r}_${q}`, s)} += vec4f(${sums.join(', ')});`;
        }),
      ),
    ]),
  ]);
  return `let mine = ${mine};
    ${norm ? halves.map((h) => `let gain${h} = gain_at(0u, ${at(h)});`).join(' ') : ''}
    ${[...loads, ...products].join('\n    ')}`;
}
