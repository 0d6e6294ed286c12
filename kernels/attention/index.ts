/** Attention over a KV cache, and what writes the cache. */
export * from './attention.ts';
export * from './prompt-attention.ts';
export * from './qkv-rope-cache.ts';
export * from './rope-cache.ts';
