/** What Vite gives the page. */

/** Address of the model that ships with the page, from the page. */
declare const MODEL_URL: string;

/** A digest of the page's files, then their paths: the build writes it into the service worker. */
declare const PRECACHE: readonly string[];

interface ImportMeta {
  readonly env: { readonly PROD: boolean };
}

declare module '*.css';
