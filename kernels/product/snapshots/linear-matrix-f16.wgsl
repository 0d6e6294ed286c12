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
var<workgroup> left: array<f16, 2048>;
var<workgroup> right: array<f16, 4096>;
var<workgroup> sums: array<f32, 512>;
var<workgroup> found: array<vec2f, 64>;
var<workgroup> scales: array<vec2f, 16>;

fn find_scales(first: u32, lane: u32) {
  let row = min(first + lane / 4u, 15u);
  var most = vec4f();
  var square = 0.0;
  for (var i = lane % 4u; i < 192u; i += 4u) {
    let v = x_at(row, i);
    most = max(most, abs(v));
  }
  found[lane] = vec2f(max(max(most.x, most.y), max(most.z, most.w)), square);
  workgroupBarrier();
  if (lane < 16u) {
    var all = found[lane * 4u];
    for (var i = 1u; i < 4u; i++) {
      let other = found[lane * 4u + i];
      all = vec2f(max(all.x, other.x), all.y + other.y);
    }
    let e = clamp(bitcast<u32>(all.x) >> 23u, 15u, 254u);
    let back = bitcast<f32>((e - 14u) << 23u);
    scales[lane] = vec2f(bitcast<f32>((268u - e) << 23u), back);
  }
  workgroupBarrier();
}

fn weight_values(column: u32, i: u32) -> Values {
  if (i >= 96u) { return Values(); }
  return weight_at(min(column, 767u), i);
}

fn x_values(row: u32, i: u32) -> Values {
  if (i >= 96u) { return Values(); }
  let at_row = min(row, 15u);
  return Values(x_at(at_row, 2u * i), x_at(at_row, 2u * i + 1u));
}

fn put_weight(begin: u32, at: u32, v: Values) {
  let to = begin + at / 16u * 128u + at % 16u;
  let half0 = vec4<f16>(v[0]);
  let half1 = vec4<f16>(v[1]);
  left[to] = half0[0];
  left[to + 16u] = half0[1];
  left[to + 32u] = half0[2];
  left[to + 48u] = half0[3];
  left[to + 64u] = half1[0];
  left[to + 80u] = half1[1];
  left[to + 96u] = half1[2];
  left[to + 112u] = half1[3];
}

fn put_x(at: u32, v: Values) {
  let to = at / 16u * 128u + at % 16u;
  let scale = scales[at % 16u].x;
  let scaled0 = v[0] * scale;
  let half0 = vec4<f16>(scaled0);
  let rest0 = vec4<f16>(scaled0 - vec4f(half0));
  let scaled1 = v[1] * scale;
  let half1 = vec4<f16>(scaled1);
  let rest1 = vec4<f16>(scaled1 - vec4f(half1));
  right[to] = half0[0];
  right[to + 16u] = half0[1];
  right[to + 32u] = half0[2];
  right[to + 48u] = half0[3];
  right[to + 64u] = half1[0];
  right[to + 80u] = half1[1];
  right[to + 96u] = half1[2];
  right[to + 112u] = half1[3];
  right[2048u + to] = rest0[0];
  right[2048u + to + 16u] = rest0[1];
  right[2048u + to + 32u] = rest0[2];
  right[2048u + to + 48u] = rest0[3];
  right[2048u + to + 64u] = rest1[0];
  right[2048u + to + 80u] = rest1[1];
  right[2048u + to + 96u] = rest1[2];
  right[2048u + to + 112u] = rest1[3];
}

fn total(begin: u32, row: u32, quad: u32) -> vec4f {
  var total = vec4f();
  for (var at = begin; at < begin + 512u; at += 256u) {
    let column = at + quad * 64u + row;
    total += vec4f(sums[column], sums[column + 16u], sums[column + 32u], sums[column + 48u]);
  }
  return total;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32) {
  // Tiles of rows are neighbours, so that all but the first find the weights in a cache.
  let tile = group.y * 48u + group.x;
  let first = 0u;
  let columns = tile;
  var weight_sum: Sum;
  var weight_0 = weight_values(columns * 16u + lane % 16u, lane / 16u);
  var weight_1 = weight_values(columns * 16u + (lane + 64u) % 16u, (lane + 64u) / 16u);
  var weight_2 = weight_values(columns * 16u + (lane + 128u) % 16u, (lane + 128u) / 16u);
  var weight_3 = weight_values(columns * 16u + (lane + 192u) % 16u, (lane + 192u) / 16u);
  var x_0 = x_values(first + lane % 16u, lane / 16u);
  var x_1 = x_values(first + (lane + 64u) % 16u, (lane + 64u) / 16u);
  var x_2 = x_values(first + (lane + 128u) % 16u, (lane + 128u) / 16u);
  var x_3 = x_values(first + (lane + 192u) % 16u, (lane + 192u) / 16u);
  find_scales(first, lane);
  for (var depth = 0u; depth < 768u; depth += 128u) {
    put_weight(0u, lane, weight_0);
    put_weight(0u, (lane + 64u), weight_1);
    put_weight(0u, (lane + 128u), weight_2);
    put_weight(0u, (lane + 192u), weight_3);
    put_x(lane, x_0);
    put_x((lane + 64u), x_1);
    put_x((lane + 128u), x_2);
    put_x((lane + 192u), x_3);
    workgroupBarrier();
    // What comes next is on its way while this is multiplied.
    weight_0 = weight_values(columns * 16u + lane % 16u, (depth + 128u) / 8u + lane / 16u);
    weight_1 = weight_values(columns * 16u + (lane + 64u) % 16u, (depth + 128u) / 8u
        + (lane + 64u) / 16u);
    weight_2 = weight_values(columns * 16u + (lane + 128u) % 16u, (depth + 128u) / 8u
        + (lane + 128u) / 16u);
    weight_3 = weight_values(columns * 16u + (lane + 192u) % 16u, (depth + 128u) / 8u
        + (lane + 192u) / 16u);
    x_0 = x_values(first + lane % 16u, (depth + 128u) / 8u + lane / 16u);
    x_1 = x_values(first + (lane + 64u) % 16u, (depth + 128u) / 8u + (lane + 64u) / 16u);
    x_2 = x_values(first + (lane + 128u) % 16u, (depth + 128u) / 8u + (lane + 128u) / 16u);
    x_3 = x_values(first + (lane + 192u) % 16u, (depth + 128u) / 8u + (lane + 192u) / 16u);
    if (subgroup < 2u) {
      for (var at = subgroup * 64u; at < (subgroup + 1u) * 64u; at += 16u) {
        let half = subgroupMatrixLoad<Right, row_major>(&right, at * 16u, 16u);
        let rest = subgroupMatrixLoad<Right, row_major>(&right, (at + 128u) * 16u, 16u);
        let weight = subgroupMatrixLoad<Left, col_major>(&left, at * 16u, 16u);
        weight_sum = subgroupMatrixMultiplyAccumulate(weight, half, weight_sum);
        weight_sum = subgroupMatrixMultiplyAccumulate(weight, rest, weight_sum);
      }
    }
    workgroupBarrier();
  }
  if (subgroup < 2u) {
    subgroupMatrixStore<row_major>(&sums, subgroup * 256u, weight_sum, 16u);
  }
  workgroupBarrier();
  for (var item = lane; item < 64u; item += 64u) {
    let row = item % 16u;
    let quad = item / 16u;
    let i = columns * 4u + quad;
    if (first + row < 16u && i < 192u) {
      let scale = scales[row].y;
      store(first + row, i, total(0u, row, quad) * scale);
    }
  }
}
