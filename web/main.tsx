/** Starts the page. */
import { render } from 'preact';
import { App } from './app.tsx';
import { openGallery } from './state/gallery.ts';
import { followAddress } from './state/recall.ts';
import { start } from './state/session.ts';
import './styles/page.css';

const root = document.getElementById('page');
if (!root) throw new Error('the page has no place to be');
render(<App />, root);
void start();
// A picture of the gallery needs no model to be looked at.
void openGallery().then(followAddress);
if (IS_BUILT && 'serviceWorker' in navigator) {
  // Where it cannot be, such as in a private window, the page works as long as there is a network.
  navigator.serviceWorker.register('service-worker.js').catch(() => {});
}
