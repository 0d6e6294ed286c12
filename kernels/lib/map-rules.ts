/** Rules of the sizes of feature maps. */

export const MAP_RULES = {
  images: 'size',
  channels: 'size',
  height: 'size',
  width: 'size',
} as const;
