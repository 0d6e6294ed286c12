/** Pixels on the page. */
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Pixels } from '../state/pixels.ts';

interface PictureProps {
  readonly pixels: Pixels;
  readonly class?: string;
  /** What it shows; none for decoration. */
  readonly label?: string;
}

/** Small pictures are shown with square pixels; large ones are smoothed. */
export function Picture({ pixels, label, class: name = '' }: PictureProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height, rgba } = pixels;
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    context?.putImageData(new ImageData(rgba, width, height), 0, 0);
  }, [rgba, width, height]);
  return (
    <canvas
      ref={canvas}
      class={`picture ${name}`}
      width={width}
      height={height}
      {...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true })}
    />
  );
}
