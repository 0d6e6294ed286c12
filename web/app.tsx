/** The page. */
import type { JSX } from 'preact';
import { Ask } from './parts/ask.tsx';
import { Footer } from './parts/footer.tsx';
import { Header } from './parts/header.tsx';
import { Stage } from './parts/stage.tsx';
import { announcement } from './state/announce.ts';

export function App(): JSX.Element {
  return (
    <>
      <Header />
      <main>
        <Stage />
        <Ask />
      </main>
      <Footer />
      <p class="unseen" role="status">
        {announcement}
      </p>
    </>
  );
}
