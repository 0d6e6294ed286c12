/** What the picture is that is looked at, and what can be done with it. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { announce } from '../state/announce.ts';
import { address, run } from '../state/drawing.ts';
import { completeFrom, fileProblem } from '../state/files.ts';
import type { Kept } from '../state/gallery.ts';
import { problemOf } from '../state/problem.ts';
import { recall } from '../state/recall.ts';
import {
  perPassText,
  type Recipe,
  rateText,
  subject,
  toHash,
  tokensDrawn,
} from '../state/recipe.ts';
import { model } from '../state/session.ts';
import { current } from '../state/stage.ts';
import { SaveLink } from './save-link.tsx';

export function Caption(): JSX.Element | null {
  const tile = current.value;
  if (run.value || !tile) return null;
  const { recipe, state, kept } = tile;
  return (
    <div class="caption">
      <h2>{subject(recipe)}</h2>
      <p class="figures">
        {state === 'stopped' && 'stopped, '}
        {facts(recipe, kept)}
      </p>
      {kept && <Actions kept={kept} />}
    </div>
  );
}

function facts(recipe: Recipe, kept: Kept | undefined): string {
  const { seed, given } = recipe;
  const { seconds, tokens = 0, passes = 0 } = kept ?? {};
  const drawn = tokensDrawn(tokens, recipe);
  const perPass = perPassText(drawn / passes);
  return [
    `seed ${seed}`,
    ...(given ? [`${given.length} tokens given`] : []),
    ...(seconds === undefined ? [] : [`${seconds.toFixed(1)} s`]),
    ...(seconds && drawn > 0 ? [`${rateText(drawn / seconds)} tokens/s`] : []),
    ...(perPass ? [perPass] : []),
  ].join(' · ');
}

function Actions({ kept }: { kept: Kept }): JSX.Element {
  const { recipe, png } = kept;
  const complete = (): void => {
    fileProblem.value = undefined;
    completeFrom(png).catch((error: unknown) => {
      fileProblem.value = problemOf(error, 'file');
    });
  };
  return (
    <div class="actions">
      <SaveLink kept={kept} />
      <CopyLink recipe={recipe} />
      {model.value?.canComplete && (
        <button type="button" onClick={complete}>
          Complete
        </button>
      )}
      <button type="button" onClick={() => void recall(recipe, 'later')}>
        Use settings
      </button>
    </div>
  );
}

/** Where the clipboard is closed to the page, its own address is the link. */
function CopyLink({ recipe }: { recipe: Recipe }): JSX.Element {
  const [copied, setCopied] = useState<string>();
  const hash = toHash(recipe);
  const copy = async (): Promise<void> => {
    address(recipe);
    try {
      await navigator.clipboard.writeText(location.href);
      announce('Link copied');
    } catch {
      announce('The link is in the address bar');
    }
    setCopied(hash);
  };
  return (
    <button type="button" onClick={() => void copy()}>
      {copied === hash ? 'Copied' : 'Copy link'}
    </button>
  );
}
