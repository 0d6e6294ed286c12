/** Rows of tables: tokens and classes to vectors, vectors to codes and back. */
export * from './codebook-lookup.ts';
export * from './embed.ts';
export * from './nearest-code.ts';
export * from './place-rows.ts';
