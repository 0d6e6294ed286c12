// The constants of WebGPU, which TypeScript 6.0 and 7.0 leave out of their own library. Declared as
// @webgpu/types does it, so that both may be there. https://www.w3.org/TR/webgpu/

interface GPUBufferUsage {
  readonly MAP_READ: number;
  readonly MAP_WRITE: number;
  readonly COPY_SRC: number;
  readonly COPY_DST: number;
  readonly INDEX: number;
  readonly VERTEX: number;
  readonly UNIFORM: number;
  readonly STORAGE: number;
  readonly INDIRECT: number;
  readonly QUERY_RESOLVE: number;
}
declare var GPUBufferUsage: GPUBufferUsage;

interface GPUMapMode {
  readonly READ: number;
  readonly WRITE: number;
}
declare var GPUMapMode: GPUMapMode;

interface GPUShaderStage {
  readonly VERTEX: number;
  readonly FRAGMENT: number;
  readonly COMPUTE: number;
}
declare var GPUShaderStage: GPUShaderStage;

interface GPUTextureUsage {
  readonly COPY_SRC: number;
  readonly COPY_DST: number;
  readonly TEXTURE_BINDING: number;
  readonly STORAGE_BINDING: number;
  readonly RENDER_ATTACHMENT: number;
}
declare var GPUTextureUsage: GPUTextureUsage;

interface GPUColorWrite {
  readonly RED: number;
  readonly GREEN: number;
  readonly BLUE: number;
  readonly ALPHA: number;
  readonly ALL: number;
}
declare var GPUColorWrite: GPUColorWrite;
