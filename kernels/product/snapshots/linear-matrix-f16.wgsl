enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [16, 768]
@group(0) @binding(1) var<storage, read> weight: array<vec4u>; // f16 [768, 768]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // f32 [16, 768]

fn x_at(row: u32, i: u32) -> vec4f {
  return x[row * 192u + i];
}

fn weight_at(row: u32, i: u32) -> mat2x4f {
  let words = weight[row * 96u + i];
  return mat2x4f(vec4f(unpack2x16float(words.x), unpack2x16float(words.y)),
      vec4f(unpack2x16float(words.z), unpack2x16float(words.w)));
}

alias Values = mat2x4f;

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 192u + i] = v;
}

fn store(row: u32, i: u32, a: vec4f) {
  out_put(row, i, a);
}

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;
var<workgroup> slab: array<vec4u, 928>; // eight halves each, then four sums
var<workgroup> scales: array<vec2f, 16>;
var<workgroup> misfit: atomic<u32>;

fn x_values(row: u32, i: u32) -> Values {
  return Values(x_at(row, 2u * i), x_at(row, 2u * i + 1u));
}

fn rest_of(v: vec2f, half: u32) -> u32 {
  return pack2x16float(v - unpack2x16float(half));
}

// Puts the halves of eight values; of these the largest and the sum of squares, with what was found before.
fn put_x(to: u32, scale: f32, x: Values, found: vec2f) -> vec2f {
  let value = x;
  let most = max(abs(value[0]), abs(value[1]));
  let v = value * scale;
  let half = vec4u(pack2x16float(v[0].xy), pack2x16float(v[0].zw), pack2x16float(v[1].xy),
      pack2x16float(v[1].zw));
  slab[to] = half;
  slab[to + REST] = vec4u(rest_of(v[0].xy, half[0]), rest_of(v[0].zw, half[1]),
      rest_of(v[1].xy, half[2]), rest_of(v[1].zw, half[3]));
  let all = max(max(most.x, most.y), max(most.z, most.w));
  return vec2f(max(found.x, all), 0.0);
}

fn find_scale(row: u32) {
  var all = vec2f();
  for (var i = 0u; i < 28u; i++) {
    let found = bitcast<vec2f>(slab[row * 29u + i].xy);
    all = vec2f(max(all.x, found.x), all.y + found.y);
  }
  let e = bitcast<u32>(all.x) >> 23u;
  var by = 131u;
  if (all.x > 0.0 && (e < 119u || e > 138u)) {
    by = 268u - clamp(e, 15u, 254u);
    atomicStore(&misfit, 1u);
  }
  let back = bitcast<f32>((254u - by) << 23u);
  scales[row] = vec2f(bitcast<f32>(by << 23u), back);
}

const REST = 464u;

fn total(begin: u32, row: u32, quad: u32) -> vec4f {
  var total = vec4f();
  let start = begin + (quad / 4u * 112u + row) * 4u + quad % 4u;
  for (var part = 0u; part < 7u; part++) {
    total += bitcast<vec4f>(slab[start + part * 64u]);
  }
  return total;
}

@compute @workgroup_size(224)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32) {
  // Tiles of rows are neighbours, so that all but the first find the weights in a cache.
  let tile = group.y * 48u + group.x;
  let first = 0u;
  let columns = tile;
  let own = min(subgroup, 6u);
  let begin = min(columns + own / 7u, 47u) * 1536u;
  let share = own % 7u * 4u;
  let line = lane / 28u;
  let eight = lane % 28u;
  let row0 = min(first + line, 15u);
  let to0 = (line) * 29u + eight;
  var scale0 = bitcast<f32>(131u << 23u);
  let row1 = min(first + line + 8u, 15u);
  let to1 = (line + 8u) * 29u + eight;
  var scale1 = bitcast<f32>(131u << 23u);
  if (lane == 0u) { atomicStore(&misfit, 0u); }
  var weight_sum: Sum;
  for (var again = 0u; again < 2u; again++) {
    weight_sum = Sum();
    var found0 = vec2f();
    var found1 = vec2f();
    var x0_0 = x_values(row0, min(eight, 95u));
    var x0_1 = x_values(row1, min(eight, 95u));
    var x1_0 = x_values(row0, min(28u + eight, 95u));
    var x1_1 = x_values(row1, min(28u + eight, 95u));
    var weight_0_0 = subgroupMatrixLoad<Left, row_major>(&weight, begin + min(share, 94u), 96u);
    var weight_0_1 = subgroupMatrixLoad<Left,
        row_major>(&weight, begin + min(share + 2u, 94u), 96u);
    var weight_1_0 = subgroupMatrixLoad<Left,
        row_major>(&weight, begin + min(28u + share, 94u), 96u);
    var weight_1_1 = subgroupMatrixLoad<Left,
        row_major>(&weight, begin + min(28u + share + 2u, 94u), 96u);
    var weight_2_0 = subgroupMatrixLoad<Left,
        row_major>(&weight, begin + min(56u + share, 94u), 96u);
    var weight_2_1 = subgroupMatrixLoad<Left,
        row_major>(&weight, begin + min(56u + share + 2u, 94u), 96u);
    var weight_3_0 = subgroupMatrixLoad<Left,
        row_major>(&weight, begin + min(84u + share, 94u), 96u);
    var weight_3_1 = subgroupMatrixLoad<Left,
        row_major>(&weight, begin + min(84u + share + 2u, 94u), 96u);
    for (var at = 0u; at < 96u; at += 112u) {
      {
        { found0 = put_x(to0, select(0.0, scale0, at + eight < 96u), x0_0, found0); }
        { found1 = put_x(to1, select(0.0, scale1, at + eight < 96u), x0_1, found1); }
        workgroupBarrier();
        if (at + 56u < 96u) {
          x0_0 = x_values(row0, min(at + 56u + eight, 95u));
          x0_1 = x_values(row1, min(at + 56u + eight, 95u));
        }
        {
          let half = subgroupMatrixLoad<Right, col_major>(&slab, share, 29u);
          let rest = subgroupMatrixLoad<Right, col_major>(&slab, share + 464u, 29u);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_0_0, half, weight_sum);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_0_0, rest, weight_sum);
        }
        {
          let half = subgroupMatrixLoad<Right, col_major>(&slab, share + 2u, 29u);
          let rest = subgroupMatrixLoad<Right, col_major>(&slab, share + 466u, 29u);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_0_1, half, weight_sum);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_0_1, rest, weight_sum);
        }
        if (at + 112u < 96u) {
          weight_0_0 = subgroupMatrixLoad<Left,
              row_major>(&weight, begin + min(at + 112u + share, 94u), 96u);
          weight_0_1 = subgroupMatrixLoad<Left,
              row_major>(&weight, begin + min(at + 112u + share + 2u, 94u), 96u);
        }
        workgroupBarrier();
      }
      if (at + 28u < 96u) {
        { found0 = put_x(to0, select(0.0, scale0, at + 28u + eight < 96u), x1_0, found0); }
        { found1 = put_x(to1, select(0.0, scale1, at + 28u + eight < 96u), x1_1, found1); }
        workgroupBarrier();
        if (at + 84u < 96u) {
          x1_0 = x_values(row0, min(at + 84u + eight, 95u));
          x1_1 = x_values(row1, min(at + 84u + eight, 95u));
        }
        {
          let half = subgroupMatrixLoad<Right, col_major>(&slab, share, 29u);
          let rest = subgroupMatrixLoad<Right, col_major>(&slab, share + 464u, 29u);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_1_0, half, weight_sum);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_1_0, rest, weight_sum);
        }
        {
          let half = subgroupMatrixLoad<Right, col_major>(&slab, share + 2u, 29u);
          let rest = subgroupMatrixLoad<Right, col_major>(&slab, share + 466u, 29u);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_1_1, half, weight_sum);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_1_1, rest, weight_sum);
        }
        if (at + 140u < 96u) {
          weight_1_0 = subgroupMatrixLoad<Left,
              row_major>(&weight, begin + min(at + 140u + share, 94u), 96u);
          weight_1_1 = subgroupMatrixLoad<Left,
              row_major>(&weight, begin + min(at + 140u + share + 2u, 94u), 96u);
        }
        workgroupBarrier();
      }
      if (at + 56u < 96u) {
        { found0 = put_x(to0, select(0.0, scale0, at + 56u + eight < 96u), x0_0, found0); }
        { found1 = put_x(to1, select(0.0, scale1, at + 56u + eight < 96u), x0_1, found1); }
        workgroupBarrier();
        if (at + 112u < 96u) {
          x0_0 = x_values(row0, min(at + 112u + eight, 95u));
          x0_1 = x_values(row1, min(at + 112u + eight, 95u));
        }
        {
          let half = subgroupMatrixLoad<Right, col_major>(&slab, share, 29u);
          let rest = subgroupMatrixLoad<Right, col_major>(&slab, share + 464u, 29u);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_2_0, half, weight_sum);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_2_0, rest, weight_sum);
        }
        {
          let half = subgroupMatrixLoad<Right, col_major>(&slab, share + 2u, 29u);
          let rest = subgroupMatrixLoad<Right, col_major>(&slab, share + 466u, 29u);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_2_1, half, weight_sum);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_2_1, rest, weight_sum);
        }
        if (at + 168u < 96u) {
          weight_2_0 = subgroupMatrixLoad<Left,
              row_major>(&weight, begin + min(at + 168u + share, 94u), 96u);
          weight_2_1 = subgroupMatrixLoad<Left,
              row_major>(&weight, begin + min(at + 168u + share + 2u, 94u), 96u);
        }
        workgroupBarrier();
      }
      if (at + 84u < 96u) {
        { found0 = put_x(to0, select(0.0, scale0, at + 84u + eight < 96u), x1_0, found0); }
        { found1 = put_x(to1, select(0.0, scale1, at + 84u + eight < 96u), x1_1, found1); }
        workgroupBarrier();
        if (at + 140u < 96u) {
          x1_0 = x_values(row0, min(at + 140u + eight, 95u));
          x1_1 = x_values(row1, min(at + 140u + eight, 95u));
        }
        {
          let half = subgroupMatrixLoad<Right, col_major>(&slab, share, 29u);
          let rest = subgroupMatrixLoad<Right, col_major>(&slab, share + 464u, 29u);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_3_0, half, weight_sum);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_3_0, rest, weight_sum);
        }
        {
          let half = subgroupMatrixLoad<Right, col_major>(&slab, share + 2u, 29u);
          let rest = subgroupMatrixLoad<Right, col_major>(&slab, share + 466u, 29u);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_3_1, half, weight_sum);
          weight_sum = subgroupMatrixMultiplyAccumulate(weight_3_1, rest, weight_sum);
        }
        if (at + 196u < 96u) {
          weight_3_0 = subgroupMatrixLoad<Left,
              row_major>(&weight, begin + min(at + 196u + share, 94u), 96u);
          weight_3_1 = subgroupMatrixLoad<Left,
              row_major>(&weight, begin + min(at + 196u + share + 2u, 94u), 96u);
        }
        workgroupBarrier();
      }
    }
    { slab[to0] = vec4u(bitcast<vec2u>(found0), 0u, 0u); }
    { slab[to1] = vec4u(bitcast<vec2u>(found1), 0u, 0u); }
    workgroupBarrier();
    if (lane < 16u) { find_scale(lane); }
    if (workgroupUniformLoad(&misfit) == 0u) { break; }
    { scale0 = scales[line].x; }
    { scale1 = scales[line + 8u].x; }
  }
  if (subgroup < 7u) {
    subgroupMatrixStore<col_major>(&slab, subgroup * 64u, weight_sum, 4u);
  }
  workgroupBarrier();
  for (var item = lane; item < 64u; item += 224u) {
    let row = item / 4u;
    let quad = item % 4u;
    let i = columns * 4u + quad;
    if (first + row < 16u && i < 192u) {
      let scale = scales[row].y;
      store(first + row, i, total(0u, row, quad) * scale);
    }
  }
}
