/** Rules of the sizes of feature maps. */

import * as rule from './rules.ts';

export const MAP_RULES: Readonly<Record<'images' | 'channels' | 'height' | 'width', rule.Rule>> = {
  images: rule.size,
  channels: rule.size,
  height: rule.size,
  width: rule.size,
};
