// @ts-check
/** The page of a server: how busy it is, a form to try it, the last images. No part of it is built. */

/** @typedef {{ error?: { message: string } }} Refusal */
/**
 * @typedef {object} Status
 * @property {boolean} ready
 * @property {number} waiting
 * @property {number} running
 * @property {number} slots
 * @property {number} slotsInUse
 * @property {number} rowsInUse
 * @property {number} tokensPerSecond
 * @property {number} fullRows Share of the rows of passes that belonged to a request.
 * @property {{ path: string, subject: string, seed: number }[]} images
 */

const STATUS_MS = 1000;
/** Points of the curve. */
const POINTS = 60;

/** @param {string} id */
const element = (id) => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`there is no element "${id}"`);
  return found;
};

/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ (element(id));

/** In this tab alone. */
let key = sessionStorage.getItem('key') ?? '';

/**
 * Asks the server, with the key if there is one; asks for it where it is missing.
 * @param {string} path
 * @param {RequestInit} [init]
 */
async function ask(path, init = {}) {
  const headers = new Headers(init.headers);
  if (key) headers.set('authorization', `Bearer ${key}`);
  const response = await fetch(path, { ...init, headers });
  if (response.status === 401) element('key').hidden = false;
  if (response.ok) return response;
  const { error } = /** @type {Refusal} */ (await response.json().catch(() => ({})));
  throw new Error(error?.message ?? `the server said ${response.status}`);
}

/** @param {string} id @param {number} value @param {number} [of] */
function show(id, value, of) {
  const shown = element(id);
  shown.textContent = value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 });
  if (of === undefined) return;
  const rest = document.createElement('small');
  rest.textContent = ` of ${of}`;
  shown.append(rest);
}

/** @param {string} id @param {number} value */
const share = (id, value) => element(id).style.setProperty('--share', String(value));

/** @type {number[]} */
const rates = [];

/** Tokens a second, from left to now. @param {number} latest */
function curve(latest) {
  rates.push(latest);
  if (rates.length > POINTS) rates.shift();
  const most = Math.max(...rates, 1);
  const points = rates.map((rate, i) => {
    const x = 120 - ((rates.length - 1 - i) * 120) / (POINTS - 1);
    return `${x.toFixed(1)},${(30 - (28 * rate) / most).toFixed(1)}`;
  });
  const start = points[0]?.split(',')[0] ?? '120';
  element('line').setAttribute('d', `M${points.join('L')}`);
  element('area').setAttribute('d', `M${start},32L${points.join('L')}L120,32Z`);
}

/** @param {string} caption @param {string} [source] */
function figure(caption, source) {
  const made = document.createElement('figure');
  const text = document.createElement('figcaption');
  text.textContent = caption;
  made.append(source === undefined ? blank() : picture(source, caption), text);
  return made;
}

function blank() {
  const made = document.createElement('div');
  made.className = 'empty';
  return made;
}

/** @param {string} source @param {string} text */
function picture(source, text) {
  const made = document.createElement('img');
  made.src = source;
  made.alt = text;
  return made;
}

/** Paths of the images that are shown. */
let shown = '';

/** @param {Status['images']} images */
function showImages(images) {
  const paths = images.map(({ path }) => path).join(' ');
  if (paths === shown) return;
  shown = paths;
  element('none').hidden = images.length > 0;
  const figures = images.map(({ path, subject, seed }) => figure(`${subject}, seed ${seed}`, path));
  element('images').replaceChildren(...figures);
}

/** @param {string} text @param {'good' | 'bad' | ''} kind */
function showState(text, kind) {
  const state = element('state');
  if (state.textContent !== text) state.textContent = text;
  state.className = `state ${kind}`;
}

async function follow() {
  try {
    const response = await ask('status');
    /** @type {Status} */
    const status = await response.json();
    showState(status.ready ? 'ready' : 'not ready', status.ready ? 'good' : 'bad');
    show('waiting', status.waiting);
    show('running', status.running);
    show('slots', status.slotsInUse, status.slots);
    share('slots-bar', status.slots > 0 ? status.slotsInUse / status.slots : 0);
    show('rows', status.rowsInUse);
    share('rows-bar', status.fullRows);
    show('tokens', status.tokensPerSecond);
    curve(status.tokensPerSecond);
    showImages(status.images);
  } catch (error) {
    showState(error instanceof TypeError ? 'no answer' : 'refused', 'bad');
  }
}

/** The name of the model, and what it can draw. */
async function meet() {
  const list = await (await ask('v1/models')).json();
  const [first] = list.data;
  if (!first) return;
  const model = await (await ask(`v1/models/${encodeURIComponent(first.id)}`)).json();
  element('model').textContent = `${model.name} · ${model.size} · ${model.adapter}`;
  const words = model.classes ?? model.words ?? [];
  const options = words.map((/** @type {string} */ word) => {
    const option = document.createElement('option');
    option.value = word;
    return option;
  });
  element('classes').replaceChildren(...options);
  element('prompt-label').textContent = model.classes ? 'Class' : 'What to draw';
  const prompt = input('prompt');
  if (!prompt.value) prompt.value = words[Math.floor(Math.random() * words.length)] ?? '';
}

/** @param {string} text */
const say = (text, isBad = false) => {
  element('said').textContent = text;
  element('said').classList.toggle('bad', isBad);
};

/**
 * Server-sent events of an answer.
 * @param {Response} response
 */
async function* eventsOf(response) {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const parts = text.split('\n\n');
    text = parts.pop() ?? '';
    for (const part of parts) {
      const data = part.split('\n').find((line) => line.startsWith('data: '));
      if (data) yield JSON.parse(data.slice(6));
    }
  }
}

/** @type {AbortController | undefined} */
let drawing;

async function draw() {
  drawing = new AbortController();
  element('go').textContent = 'Stop';
  const [n, seed] = [input('count').valueAsNumber, input('seed').valueAsNumber];
  const prompt = input('prompt').value;
  const figures = Array.from({ length: n }, () => figure('waits'));
  element('drawn').replaceChildren(...figures);
  const start = performance.now();
  say(`drawing ${prompt}`);
  try {
    const body = { prompt, n, stream: true, partial_images: 3, ...(seed >= 0 && { seed }) };
    const response = await ask('v1/images/generations', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: drawing.signal,
    });
    for await (const event of eventsOf(response)) {
      if (event.error) throw new Error(event.error.message);
      const caption = event.seed === undefined ? 'drawing' : `seed ${event.seed}`;
      const source = `data:image/${event.output_format};base64,${event.b64_json}`;
      figures[event.image_index]?.replaceChildren(...figure(caption, source).children);
    }
    say(
      `${n} ${n === 1 ? 'image' : 'images'} in ${((performance.now() - start) / 1000).toFixed(1)} s`,
    );
  } catch (error) {
    const isStopped = drawing.signal.aborted;
    say(isStopped ? 'stopped' : String(error instanceof Error ? error.message : error), !isStopped);
  } finally {
    drawing = undefined;
    element('go').textContent = 'Draw';
    void follow();
  }
}

element('draw').addEventListener('submit', (event) => {
  event.preventDefault();
  if (drawing) drawing.abort();
  else void draw();
});

element('key').addEventListener('submit', (event) => {
  event.preventDefault();
  key = input('key-field').value.trim();
  sessionStorage.setItem('key', key);
  element('key').hidden = true;
  void begin();
});

async function begin() {
  await follow();
  await meet().catch(() => {}); // the state says that there is no answer
}

void begin();
setInterval(() => {
  if (document.visibilityState === 'visible') void follow();
}, STATUS_MS);
