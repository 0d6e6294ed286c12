/** Every kernel, and what an app needs to run one on its own GPUDevice. */
export * from './attention/index.ts';
export * from './compile.ts';
export * from './conv/index.ts';
export * from './cost.ts';
export * from './embed/index.ts';
export * from './kernel.ts';
export { NO_TOKEN } from './lib/finite.ts';
export { NO_ROW, packRows, type Row } from './lib/row-table.ts';
export * from './norm/index.ts';
export * from './product/index.ts';
export * from './sampler/index.ts';
