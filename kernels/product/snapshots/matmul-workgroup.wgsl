@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [514, 768]
@group(0) @binding(1) var<storage, read> weight: array<vec4f>; // f32 [768, 768]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // f32 [514, 768]

fn x_at(row: u32, i: u32) -> vec4f {
  return x[row * 192u + i];
}

fn weight_at(row: u32, i: u32) -> vec4f {
  return weight[row * 192u + i];
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 192u + i] = v;
}

fn store(batch: u32, row: u32, quad: u32, sums: vec4f) {
  let i = quad;
  out_put(row, i, sums);
}

fn left_at(batch: u32, k: u32, line: u32) -> vec4f { return x_at(line, k); }

fn right_at(batch: u32, k: u32, line: u32) -> vec4f { return weight_at(line, k); }

var<workgroup> left: array<vec4f, 256>;
var<workgroup> right: array<vec4f, 256>;

fn fill_left(batch: u32, first: u32, first_line: u32, lane: u32) {
  for (var i = lane; i < 256u; i += 256u) {
    let k = first + i % 4u;
    let line = first_line + i / 4u;
    let found = left_at(batch, min(k, 191u), min(line, 513u));
    let value = select(vec4f(), found, k < 192u && line <= 513u);
    left[i] = value;
  }
}

fn fill_right(batch: u32, first: u32, first_line: u32, lane: u32) {
  for (var i = lane; i < 256u; i += 256u) {
    let k = first + i % 4u;
    let line = first_line + i / 4u;
    let found = right_at(batch, min(k, 191u), min(line, 767u));
    let value = select(vec4f(), found, k < 192u && line <= 767u);
    right[i] = value;
  }
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = lane % 16u;
  let row = lane / 16u;
  var sum0_0 = vec4f();
  var sum1_0 = vec4f();
  var sum2_0 = vec4f();
  var sum3_0 = vec4f();
  let batch = group.z;
  for (var s = 0u; s < 48u; s++) {
    let first = s * 4u;
    fill_left(batch, first, group.y * 64u, lane);
    fill_right(batch, first, group.x * 64u, lane);
    workgroupBarrier();
    for (var depth = 0u; depth < 4u; depth++) {
      let b0 = right[(column * 4u) * 4u + depth];
      let b1 = right[(column * 4u + 1u) * 4u + depth];
      let b2 = right[(column * 4u + 2u) * 4u + depth];
      let b3 = right[(column * 4u + 3u) * 4u + depth];
      let a0 = left[(row * 4u) * 4u + depth];
      let a1 = left[(row * 4u + 1u) * 4u + depth];
      let a2 = left[(row * 4u + 2u) * 4u + depth];
      let a3 = left[(row * 4u + 3u) * 4u + depth];
      sum0_0 += vec4f(dot(a0, b0), dot(a0, b1), dot(a0, b2), dot(a0, b3));
      sum1_0 += vec4f(dot(a1, b0), dot(a1, b1), dot(a1, b2), dot(a1, b3));
      sum2_0 += vec4f(dot(a2, b0), dot(a2, b1), dot(a2, b2), dot(a2, b3));
      sum3_0 += vec4f(dot(a3, b0), dot(a3, b1), dot(a3, b2), dot(a3, b3));
    }
    workgroupBarrier();
  }
  let first_m = group.y * 64u + row * 4u;
  let first_n = group.x * 64u + column * 4u;
  if (first_m < 514u && first_n < 768u) {
    store(group.z, first_m, first_n / 4u, sum0_0);
  }
  if (first_m + 1u < 514u && first_n < 768u) {
    store(group.z, first_m + 1u, first_n / 4u, sum1_0);
  }
  if (first_m + 2u < 514u && first_n < 768u) {
    store(group.z, first_m + 2u, first_n / 4u, sum2_0);
  }
  if (first_m + 3u < 514u && first_n < 768u) {
    store(group.z, first_m + 3u, first_n / 4u, sum3_0);
  }
}
