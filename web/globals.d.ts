/** What Vite gives the page. */

/** Addresses of the models of classes and of prompts that ship with the page, from the page. */
declare const MODEL_URL: string;
declare const TEXT_MODEL_URL: string;

/** Classes of the first, which can be chosen before it is there. */
declare const MODEL_CLASSES: readonly string[];

/** A digest of the page's files, then their paths: the build writes it into the service worker. */
declare const PRECACHE: readonly string[];

/** Whether the page was built: under development it changes too often to be kept for offline. */
declare const IS_BUILT: boolean;

declare module '*.css';
