/** The page: pick a class, see its picture come. */
import {
  generate,
  loadModel,
  type Model,
  openUrl,
  openWebDevice,
  type Progress,
  type WebDevice,
} from '../src/web/index.ts';

const MODEL = '/weights/fruits-96';
const MAX_SEED = 2 ** 32;

const form = element('form', HTMLFormElement);
const classes = element('classes', HTMLSelectElement);
const button = element('button', HTMLButtonElement);
const canvas = element('canvas', HTMLCanvasElement);
const progress = element('progress', HTMLProgressElement);
const status = element('status', HTMLElement);
const adapter = element('adapter', HTMLElement);

/** Stops the run that is under way. */
let running: AbortController | undefined;

async function start(): Promise<void> {
  const opened = await openWebDevice();
  adapter.textContent = describeAdapter(opened);
  const model = await loadModel(opened.device, openUrl(MODEL), {
    onProgress: (done, total) => show('Loading weights', done / total),
  });
  classes.append(...model.config.classNames.map((name, i) => new Option(name, `${i}`)));
  classes.disabled = button.disabled = false;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (running) running.abort(new Error('Stopped'));
    else run(model).catch(showError);
  });
  show('Ready', 0);
}

async function run(model: Model): Promise<void> {
  const classIndex = Number(classes.value);
  const seed = Math.floor(Math.random() * MAX_SEED);
  const started = performance.now();
  running = new AbortController();
  button.textContent = 'Stop';
  try {
    const { images } = await generate(model, {
      ...{ classes: [classIndex], seed, signal: running.signal },
      onProgress: (now) =>
        show(describe(now), now.phase === 'tokens' ? now.done / now.total : undefined),
    });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    for (const { width, height, rgba } of images) {
      Object.assign(canvas, { width, height });
      canvas.getContext('2d')?.putImageData(new ImageData(rgba, width, height), 0, 0);
    }
    canvas.ariaLabel = model.config.classNames[classIndex] ?? '';
    show(`${canvas.ariaLabel}, seed ${seed}, ${seconds} s`, 1);
  } finally {
    running = undefined;
    button.textContent = 'Generate';
  }
}

function describe({ phase, done, total, elapsedMs }: Progress): string {
  if (phase === 'compile') return 'Compiling shaders';
  if (phase === 'decode') return 'Decoding the picture';
  const rate = done > 0 ? `, ${((done / elapsedMs) * 1000).toFixed(1)} tokens/s` : '';
  return `${done} of ${total} tokens${rate}`;
}

function describeAdapter({ adapter: { info }, software, notes }: WebDevice): string {
  const { vendor, architecture, description } = info;
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'unnamed adapter';
  return [`Adapter: ${name}${software ? ' (software, slow)' : ''}`, ...notes].join('; ');
}

/** @param part Done of the whole; undefined while that is unknown. */
function show(text: string, part?: number): void {
  status.className = '';
  status.textContent = text;
  if (part === undefined) progress.removeAttribute('value');
  else progress.value = part;
}

function showError(error: unknown): void {
  show(error instanceof Error ? error.message : String(error), 0);
  status.className = 'error';
}

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`the page has no ${type.name} "${id}"`);
}

start().catch(showError);
