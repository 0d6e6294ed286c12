/** The page. */
import type { JSX } from 'preact';
import { Ask } from './parts/ask.tsx';
import { DropZone } from './parts/drop-zone.tsx';
import { Footer } from './parts/footer.tsx';
import { Gallery } from './parts/gallery.tsx';
import { Header } from './parts/header.tsx';
import { ModelFold } from './parts/model-fold.tsx';
import { Stage } from './parts/stage.tsx';
import { announcement } from './state/announce.ts';

export function App(): JSX.Element {
  return (
    <>
      <Header />
      <main>
        <div class="work">
          <Stage />
          <div class="side">
            <Ask />
            <ModelFold />
          </div>
        </div>
        <Gallery />
      </main>
      <Footer />
      <DropZone />
      <p class="unseen" role="status">
        {announcement}
      </p>
    </>
  );
}
