/** The picture of a grid that is not full yet. */
import type { Picture } from './images.ts';

/** Of a grid so far: what is missing repeats the row above, so that borders do not jump. */
export function filledGrid(
  tokens: ArrayLike<number>,
  done: number,
  gridSize: number,
): Uint32Array<ArrayBuffer> {
  const filled = new Uint32Array(gridSize * gridSize);
  for (let i = 0; i < filled.length; i++) {
    const above = filled[i - gridSize] ?? filled[i - 1] ?? 0;
    filled[i] = i < done ? (tokens[i] ?? 0) : above;
  }
  return filled;
}

/** The picture with everything transparent that belongs to tokens from `done` on. */
export function hideUndrawn(picture: Picture, done: number, gridSize: number): Picture {
  const { width, height, rgba } = picture;
  const shown = rgba.slice();
  const [cellWidth, cellHeight] = [width / gridSize, height / gridSize];
  for (let y = 0; y < height; y++) {
    const row = Math.floor(y / cellHeight);
    const columns = Math.min(Math.max(done - row * gridSize, 0), gridSize);
    for (let x = columns * cellWidth; x < width; x++) shown[(y * width + x) * 4 + 3] = 0;
  }
  return { width, height, rgba: shown };
}
