/** What tests of the page do again and again. */
import type { Locator, Page } from 'playwright-core';

/** A button of the page, by what it says. */
export const button = (page: Page, name: string): Locator =>
  page.getByRole('button', { name, exact: true });

/** Waits until there is a model. */
export const ready = (page: Page): Promise<void> =>
  page.locator('.footer code').waitFor({ timeout: 60_000 });

/** Draws a class and waits until it is in the gallery. */
export async function drawClass(page: Page, name: string): Promise<void> {
  await page.getByRole('radio', { name, exact: true }).check();
  await button(page, 'Draw').click();
  await finished(page);
}

/** Waits until the picture that is looked at is finished and kept. */
export const finished = (page: Page): Promise<void> =>
  page.getByRole('link', { name: 'Save PNG' }).waitFor({ timeout: 90_000 });

/** Pixels of a picture on the stage, RGBA: of the first, or of another. */
export const pixels = (page: Page, at = 0): Promise<number[]> =>
  page
    .locator('.tile canvas.now')
    .nth(at)
    .evaluate((canvas: HTMLCanvasElement) => {
      const { width, height } = canvas;
      return Array.from(canvas.getContext('2d')?.getImageData(0, 0, width, height).data ?? []);
    });

/** What the status line says, from now on. */
export async function hearStatus(page: Page): Promise<() => Promise<readonly string[]>> {
  await page.evaluate(() => {
    const said: string[] = [];
    Object.assign(globalThis, { said });
    const line = document.querySelector('[role=status]');
    if (!line) throw new Error('the page has no status line');
    new MutationObserver(() => said.push(line.textContent ?? '')).observe(line, {
      ...{ childList: true, characterData: true, subtree: true },
    });
  });
  return () => page.evaluate(() => Reflect.get(globalThis, 'said'));
}

/** Drops files of these bytes on the page. */
export async function drop(
  page: Page,
  files: readonly { readonly name: string; readonly type?: string; readonly bytes: Uint8Array }[],
): Promise<void> {
  const given = files.map(({ name, type = '', bytes }) => ({
    ...{ name, type, base64: Buffer.from(bytes).toString('base64') },
  }));
  await page.evaluate((all) => {
    const dataTransfer = new DataTransfer();
    for (const { name, type, base64 } of all) {
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      dataTransfer.items.add(new File([bytes], name, { type }));
    }
    for (const event of ['dragover', 'drop']) {
      const options = { dataTransfer, bubbles: true, cancelable: true };
      document.body.dispatchEvent(new DragEvent(event, options));
    }
  }, given);
}
