/**
 * Keeps the page usable offline after a first visit. Models are none of its business: the worker keeps
 * them, verified.
 */

/** What is used of a service worker's scope: its types and those of pages exclude each other. */
interface ServiceWorkerScope {
  addEventListener(type: 'install' | 'activate', listener: (event: LifeEvent) => void): void;
  addEventListener(type: 'fetch', listener: (event: FetchedEvent) => void): void;
  readonly registration: { readonly scope: string };
}

interface LifeEvent {
  waitUntil(work: Promise<unknown>): void;
}

interface FetchedEvent {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

const scope = globalThis as unknown as ServiceWorkerScope;

const [digest = '', ...files] = PRECACHE;
const PREFIX = 'llamagen-page ';
const NAME = `${PREFIX}${scope.registration.scope} ${digest}`;
const urls = new Set(files.map((file) => new URL(file, scope.registration.scope).href));

/** Their names have digests, so those that are not in the list can be kept when they are used. */
const assets = new URL('assets/', scope.registration.scope).href;

scope.addEventListener('install', (event) => event.waitUntil(fill()));
scope.addEventListener('activate', (event) => event.waitUntil(forgetOthers()));
scope.addEventListener('fetch', (event) => {
  const { method, url, mode } = event.request;
  const { origin, pathname } = new URL(url);
  const path = origin + pathname;
  if (method !== 'GET' || !(urls.has(path) || path.startsWith(assets))) return;
  event.respondWith(mode === 'navigate' ? newest(event.request) : kept(event.request));
});

async function fill(): Promise<void> {
  const cache = await caches.open(NAME);
  await cache.addAll([...urls].map((url) => new Request(url, { cache: 'reload' })));
}

/** Those of versions before, once no page uses them: the browser activates this one then. */
async function forgetOthers(): Promise<void> {
  const own = `${PREFIX}${scope.registration.scope} `;
  const old = (await caches.keys()).filter((name) => name.startsWith(own) && name !== NAME);
  await Promise.all(old.map((name) => caches.delete(name)));
}

/** The page itself: from the network where there is one, so that a new version shows at once. */
async function newest(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch {
    return kept(request);
  }
}

/** What it consists of has its digest in its name, but for icons: so what is kept is never stale. */
async function kept(request: Request): Promise<Response> {
  const known = await caches.match(request, { ignoreSearch: true }).catch(() => undefined);
  if (known) return known;
  const answer = await fetch(request);
  // Without room for it the page goes on, and needs a network next time.
  if (answer.ok) store(request, answer.clone()).catch(() => {});
  return answer;
}

async function store(request: Request, answer: Response): Promise<void> {
  const cache = await caches.open(NAME);
  await cache.put(request, answer);
}
