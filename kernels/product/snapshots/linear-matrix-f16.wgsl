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
  return mat2x4f(vec4f(unpack2x16float(words[0]), unpack2x16float(words[1])),
      vec4f(unpack2x16float(words[2]), unpack2x16float(words[3])));
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
const REST = 80u;
var<workgroup> slab: array<vec4u, 960>; // eight halves each, then four sums
var<workgroup> found: array<vec2f, 64>; // of a row: the largest value, the sum of squares
var<workgroup> misfit: atomic<u32>;

fn x_values(row: u32, i: u32) -> Values {
  return Values(x_at(row, 2u * i), x_at(row, 2u * i + 1u));
}

// As many bits as a half has.
fn top_of(v: vec4f) -> vec4f {
  return bitcast<vec4f>(bitcast<vec4u>(v) & vec4u(0xffffe000u));
}

fn halves_of(a: vec4f, b: vec4f) -> vec4u {
  return vec4u(pack2x16float(a.xy), pack2x16float(a.zw), pack2x16float(b.xy), pack2x16float(b.zw));
}

// Puts the halves of eight values; of these the largest and the sum of squares, with what was found before.
fn put_x(to: u32, scale: f32, x: Values, found: vec2f) -> vec2f {
  let value = x;
  let most = max(abs(value[0]), abs(value[1]));
  let v = value * scale;
  let a = top_of(v[0]);
  let b = top_of(v[1]);
  slab[to] = halves_of(a, b);
  slab[to + REST] = halves_of(v[0] - a, v[1] - b);
  let all = max(max(most.x, most.y), max(most.z, most.w));
  return vec2f(max(found.x, all), 0.0);
}

fn over_eights(share: vec2f) -> vec2f {
  var all = share;
  let other0 = subgroupShuffleXor(all, 1u);
  all = vec2f(max(all.x, other0.x), all.y + other0.y);
  let other1 = subgroupShuffleXor(all, 2u);
  all = vec2f(max(all.x, other1.x), all.y + other1.y);
  return all;
}

fn found_of(row: u32) -> vec2f {
  var all = vec2f();
  for (var part = 0u; part < 4u; part++) {
    let share = found[row * 4u + part];
    all = vec2f(max(all.x, share.x), all.y + share.y);
  }
  return all;
}

fn exponent_of(most: f32) -> u32 {
  let e = bitcast<u32>(most) >> 23u;
  let fits = most == 0.0 || (e >= 119u && e <= 138u);
  return select(268u - clamp(e, 15u, 254u), 131u, fits);
}

fn back_of(all: vec2f) -> f32 {
  return bitcast<f32>((254u - exponent_of(all.x)) << 23u);
}

fn total(begin: u32, row: u32, quad: u32) -> vec4f {
  var total = vec4f();
  let start = (begin + quad / 4u) * 64u + row * 4u + quad % 4u;
  for (var part = 0u; part < 4u; part++) {
    total += bitcast<vec4f>(slab[start + part * 64u]);
  }
  return total;
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32) {
  // Tiles of rows are neighbours, so that all but the first find the weights in a cache.
  let tile = group.y * 48u + group.x;
  let first = 0u;
  let columns = tile;
  let own = min(subgroup, 3u) * 240u;
  let part = lane / 32u;
  let to = part * 240u + lane % 32u / 4u * 5u + lane % 4u;
  let line = lane % 32u / 4u;
  let eight = part * 4u + lane % 4u;
  let row0 = min(first + line, 15u);
  let row1 = min(first + line + 8u, 15u);
  let column0 = min(columns * 16u + line, 767u) * 96u;
  let column1 = min(columns * 16u + line + 8u, 767u) * 96u;
  if (lane == 0u) { atomicStore(&misfit, 0u); }
  var scale0 = bitcast<f32>(131u << 23u);
  var scale1 = bitcast<f32>(131u << 23u);
  for (var again = 0u; again < 2u; again++) {
    var weight_sum0 = Sum();
    var found0 = vec2f();
    var found1 = vec2f();
    var weight0_0 = weight[column0 + eight];
    var weight0_1 = weight[column1 + eight];
    var weight1_0 = weight[column0 + 16u + eight];
    var weight1_1 = weight[column1 + 16u + eight];
    var weight2_0 = weight[column0 + 32u + eight];
    var weight2_1 = weight[column1 + 32u + eight];
    var weight3_0 = weight[column0 + 48u + eight];
    var weight3_1 = weight[column1 + 48u + eight];
    var weight4_0 = weight[column0 + 64u + eight];
    var weight4_1 = weight[column1 + 64u + eight];
    var weight5_0 = weight[column0 + 80u + eight];
    var weight5_1 = weight[column1 + 80u + eight];
    var x0_0 = x_values(row0, eight);
    var x0_1 = x_values(row1, eight);
    var x1_0 = x_values(row0, 16u + eight);
    var x1_1 = x_values(row1, 16u + eight);
    {
      found0 = put_x(to, scale0, x0_0, found0);
      found1 = put_x(to + 40u, scale1, x0_1, found1);
      slab[to + 160u] = weight0_0;
      slab[to + 200u] = weight0_1;
      workgroupBarrier();
      x0_0 = x_values(row0, 32u + eight);
      x0_1 = x_values(row1, 32u + eight);
      {
        let half = subgroupMatrixLoad<Right, col_major>(&slab, own, 5u);
        let rest = subgroupMatrixLoad<Right, col_major>(&slab, own + 80u, 5u);
        let left0 = subgroupMatrixLoad<Left, row_major>(&slab, own + 160u, 5u);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, half, weight_sum0);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, rest, weight_sum0);
      }
      {
        let half = subgroupMatrixLoad<Right, col_major>(&slab, own + 2u, 5u);
        let rest = subgroupMatrixLoad<Right, col_major>(&slab, own + 82u, 5u);
        let left0 = subgroupMatrixLoad<Left, row_major>(&slab, own + 162u, 5u);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, half, weight_sum0);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, rest, weight_sum0);
      }
      workgroupBarrier();
    }
    {
      found0 = put_x(to, scale0, x1_0, found0);
      found1 = put_x(to + 40u, scale1, x1_1, found1);
      slab[to + 160u] = weight1_0;
      slab[to + 200u] = weight1_1;
      workgroupBarrier();
      x1_0 = x_values(row0, 48u + eight);
      x1_1 = x_values(row1, 48u + eight);
      {
        let half = subgroupMatrixLoad<Right, col_major>(&slab, own, 5u);
        let rest = subgroupMatrixLoad<Right, col_major>(&slab, own + 80u, 5u);
        let left0 = subgroupMatrixLoad<Left, row_major>(&slab, own + 160u, 5u);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, half, weight_sum0);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, rest, weight_sum0);
      }
      {
        let half = subgroupMatrixLoad<Right, col_major>(&slab, own + 2u, 5u);
        let rest = subgroupMatrixLoad<Right, col_major>(&slab, own + 82u, 5u);
        let left0 = subgroupMatrixLoad<Left, row_major>(&slab, own + 162u, 5u);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, half, weight_sum0);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, rest, weight_sum0);
      }
      workgroupBarrier();
    }
    {
      found0 = put_x(to, scale0, x0_0, found0);
      found1 = put_x(to + 40u, scale1, x0_1, found1);
      slab[to + 160u] = weight2_0;
      slab[to + 200u] = weight2_1;
      workgroupBarrier();
      x0_0 = x_values(row0, 64u + eight);
      x0_1 = x_values(row1, 64u + eight);
      {
        let half = subgroupMatrixLoad<Right, col_major>(&slab, own, 5u);
        let rest = subgroupMatrixLoad<Right, col_major>(&slab, own + 80u, 5u);
        let left0 = subgroupMatrixLoad<Left, row_major>(&slab, own + 160u, 5u);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, half, weight_sum0);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, rest, weight_sum0);
      }
      {
        let half = subgroupMatrixLoad<Right, col_major>(&slab, own + 2u, 5u);
        let rest = subgroupMatrixLoad<Right, col_major>(&slab, own + 82u, 5u);
        let left0 = subgroupMatrixLoad<Left, row_major>(&slab, own + 162u, 5u);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, half, weight_sum0);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, rest, weight_sum0);
      }
      workgroupBarrier();
    }
    {
      found0 = put_x(to, scale0, x1_0, found0);
      found1 = put_x(to + 40u, scale1, x1_1, found1);
      slab[to + 160u] = weight3_0;
      slab[to + 200u] = weight3_1;
      workgroupBarrier();
      x1_0 = x_values(row0, 80u + eight);
      x1_1 = x_values(row1, 80u + eight);
      {
        let half = subgroupMatrixLoad<Right, col_major>(&slab, own, 5u);
        let rest = subgroupMatrixLoad<Right, col_major>(&slab, own + 80u, 5u);
        let left0 = subgroupMatrixLoad<Left, row_major>(&slab, own + 160u, 5u);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, half, weight_sum0);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, rest, weight_sum0);
      }
      {
        let half = subgroupMatrixLoad<Right, col_major>(&slab, own + 2u, 5u);
        let rest = subgroupMatrixLoad<Right, col_major>(&slab, own + 82u, 5u);
        let left0 = subgroupMatrixLoad<Left, row_major>(&slab, own + 162u, 5u);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, half, weight_sum0);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, rest, weight_sum0);
      }
      workgroupBarrier();
    }
    {
      found0 = put_x(to, scale0, x0_0, found0);
      found1 = put_x(to + 40u, scale1, x0_1, found1);
      slab[to + 160u] = weight4_0;
      slab[to + 200u] = weight4_1;
      workgroupBarrier();
      {
        let half = subgroupMatrixLoad<Right, col_major>(&slab, own, 5u);
        let rest = subgroupMatrixLoad<Right, col_major>(&slab, own + 80u, 5u);
        let left0 = subgroupMatrixLoad<Left, row_major>(&slab, own + 160u, 5u);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, half, weight_sum0);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, rest, weight_sum0);
      }
      {
        let half = subgroupMatrixLoad<Right, col_major>(&slab, own + 2u, 5u);
        let rest = subgroupMatrixLoad<Right, col_major>(&slab, own + 82u, 5u);
        let left0 = subgroupMatrixLoad<Left, row_major>(&slab, own + 162u, 5u);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, half, weight_sum0);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, rest, weight_sum0);
      }
      workgroupBarrier();
    }
    {
      found0 = put_x(to, scale0, x1_0, found0);
      found1 = put_x(to + 40u, scale1, x1_1, found1);
      slab[to + 160u] = weight5_0;
      slab[to + 200u] = weight5_1;
      workgroupBarrier();
      {
        let half = subgroupMatrixLoad<Right, col_major>(&slab, own, 5u);
        let rest = subgroupMatrixLoad<Right, col_major>(&slab, own + 80u, 5u);
        let left0 = subgroupMatrixLoad<Left, row_major>(&slab, own + 160u, 5u);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, half, weight_sum0);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, rest, weight_sum0);
      }
      {
        let half = subgroupMatrixLoad<Right, col_major>(&slab, own + 2u, 5u);
        let rest = subgroupMatrixLoad<Right, col_major>(&slab, own + 82u, 5u);
        let left0 = subgroupMatrixLoad<Left, row_major>(&slab, own + 162u, 5u);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, half, weight_sum0);
        weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, rest, weight_sum0);
      }
      workgroupBarrier();
    }
    let all0 = over_eights(found0);
    let all1 = over_eights(found1);
    if (lane % 4u == 0u) {
      found[(line) * 4u + part] = all0;
      found[(line + 8u) * 4u + part] = all1;
    }
    if (subgroup < 4u) {
      subgroupMatrixStore<col_major>(&slab, subgroup * 64u, weight_sum0, 4u);
    }
    workgroupBarrier();
    if (lane < 16u && exponent_of(found_of(lane).x) != 131u) { atomicStore(&misfit, 1u); }
    if (workgroupUniformLoad(&misfit) == 0u) { break; }
    scale0 = bitcast<f32>(exponent_of(found_of(min(line, 15u)).x) << 23u);
    scale1 = bitcast<f32>(exponent_of(found_of(min(line + 8u, 15u)).x) << 23u);
  }
  for (var item = lane; item < 64u; item += 128u) {
    let row = item / 4u;
    let quad = item % 4u;
    let i = columns * 4u + quad;
    if (first + row < 16u && i < 192u) {
      let scale = back_of(found_of(row));
      store(first + row, i, total(0u, row, quad) * scale);
    }
  }
}
