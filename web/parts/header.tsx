/** What this page is. */
import type { JSX } from 'preact';

export function Header(): JSX.Element {
  return (
    <header class="header">
      <h1>LlamaGen</h1>
      <p>draws token by token, on your own device</p>
    </header>
  );
}
