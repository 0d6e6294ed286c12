/** Commands whose tokens and pixels a change of structure must leave alone. */

export interface HashedCommand {
  /** Arguments of `llamagen generate` besides the outputs. */
  readonly args: string;
  readonly env?: Readonly<Record<string, string>>;
}

export const COMMANDS: readonly HashedCommand[] = [
  { args: '--class Strawberry --seed 1' },
  { args: '--class 0,5,9,30,2 --seed 7' },
  { args: '--class Lemon --count 3 --seed 9007199254740000' },
  { args: '--class 3,4 --seed 2 --cfg-scale 1' },
  { args: '--class Orange --greedy' },
  { args: '--class 8,8 --seed 3 --temperature 0.8 --top-k 50 --top-p 0.9' },
  { args: '--class 12 --seed 5 --cfg-scale 4 --cfg-interval 10' },
  { args: '--class 1,2 --seed 6 --top-k 1000 --top-p 0.5' },
  { args: '--class 17 --seed 8 --dtype f16' },
  { args: '--class 17 --seed 8 --dtype bf16' },
  { args: '--class 17 --seed 8 --dtype int8' },
  { args: '--class 17 --seed 8 --dtype int4' },
  { args: '--class 20 --seed 4 --cfg-scale 1', env: { LLAMAGEN_VARIANT: 'serial,product.span=1' } },
  {
    args: '--class 21 --seed 4 --cfg-scale 1',
    env: { LLAMAGEN_VARIANT: 'serial,product.split=2,attention.keys=4,conv.method=direct' },
  },
];
