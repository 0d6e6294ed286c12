/** Names as people type them. */
import { distance } from 'fastest-levenshtein';

const MAX_SUGGESTIONS = 5;

/** Names near to a misspelt one, nearest first. */
export function nearNames(names: readonly string[], name: string): string[] {
  const wanted = normalName(name);
  if (!wanted) return [];
  const most = Math.max(1, Math.ceil(wanted.length / 3));
  return [...new Set(names)]
    .map((candidate) => ({ candidate, far: apart(normalName(candidate), wanted) }))
    .filter(({ far }) => far <= most)
    .sort((a, b) => a.far - b.far)
    .slice(0, MAX_SUGGESTIONS)
    .map(({ candidate }) => candidate);
}

/** Edits between two names; a name that contains the other, or a word one edit away, is near. */
function apart(candidate: string, wanted: string): number {
  const words = candidate.split(/[^\p{L}\p{N}]+/u);
  const closest = Math.min(...words.map((word) => distance(word, wanted)));
  const whole = distance(candidate, wanted);
  if (candidate.includes(wanted)) return Math.min(whole, 0.5);
  return Math.min(whole, closest + 0.5);
}

/** A name as it is compared: spaces and case do not count. */
export function normalName(name: string): string {
  return name.trim().replace(/\s+/g, ' ').toLowerCase();
}
