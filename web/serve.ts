/** `npm run web`: serves the page until Ctrl-C. */
import { servePage } from './server.ts';

const { url } = await servePage();
console.log(`open ${url} in a browser with WebGPU; Ctrl-C ends`);
