/**
 * Damaged and invented files: each is opened or refused with a WeightsError, soon, and never with
 * more memory than the file itself has bytes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WeightsError } from '../../src/errors.ts';
import { type Checkpoint, openCheckpoint } from '../../src/weights/checkpoint.ts';
import { DTYPES, STORAGES } from '../../src/weights/pt/dtypes.ts';
import { assertNothingForeign } from '../../src/weights/pt/foreign.ts';
import { CALLS } from '../../src/weights/pt/globals.ts';
import { OPCODES } from '../../src/weights/pt/opcodes.ts';
import { openPt } from '../../src/weights/pt/open.ts';
import { stateDictsOf } from '../../src/weights/pt/state-dict.ts';
import { trainingArgs } from '../../src/weights/pt/training-args.ts';
import { unpickle } from '../../src/weights/pt/unpickle.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { type ByteSource, memorySource } from '../../src/weights/source.ts';
import * as p from '../support/pickle.ts';
import { long, pickle, text } from '../support/pickle.ts';
import { rawFile } from '../support/safetensors.ts';
import { ROOT } from '../support/sources.ts';
import { assemble, layoutZip, writePtWith } from '../support/zip.ts';

/** Longest time for one file, on a busy machine. */
const MOST_MS = 10_000;

const sample = (name: string): Uint8Array =>
  readFileSync(join(ROOT, 'test', 'golden', 'pt_checkpoints', name));
const SAMPLES = ['exotic.pt', 'exotic_legacy.pt', 'train_style.pt', 'legacy_model.pt'];
/** A file with foreign values beside its state dict, and each form of a tensor inside. */
function savedByTraining(): Uint8Array {
  const W = { key: '0', elements: 6, shape: [2, 3], data: 24 };
  const path = p.call(p.global('pathlib', 'PosixPath'), p.text('runs'));
  const utils = (name: string): p.Code => p.global('torch._utils', name);
  const bytes = p.tuple(
    p.text('storage'),
    ...[p.global('torch.storage', 'UntypedStorage'), p.text('1'), p.text('cpu'), p.long(24)],
  );
  const view = [p.long(0), p.tuple(p.long(3)), p.tuple(p.long(1)), p.FALSE, p.NONE];
  const float32 = p.global('torch', 'float32');
  const untyped = p.tuple([bytes, 0x51], ...view, float32);
  const more = {
    parameter: p.call(utils('_rebuild_parameter_with_state'), p.tensor(W), p.TRUE, p.dict({})),
    'module.typed': p.call(
      p.global('torch._tensor', '_rebuild_from_type_v2'),
      ...[utils('_rebuild_tensor_v3'), p.global('torch', 'Tensor'), untyped, p.dict({})],
    ),
  };
  return writePtWith(
    { '_orig_mod.w': W, 'loss.w': { ...W, key: '1', storage: 'ByteStorage', elements: 24 } },
    (ema) =>
      p.dict({
        args: p.object('argparse', 'Namespace', p.dict({ image_size: p.long(256), path })),
        rng: p.items(p.call(p.global('collections', 'defaultdict'), p.NONE), { a: path }),
        run: p.dict({ ema, config: [p.global('a', 'B'), p.tuple(), p.dict({}), 0x92] }),
      }),
    { more },
  );
}

const files = new Map(SAMPLES.map((name) => [name, sample(name)]));
files.set('saved by training', savedByTraining());

/** A source in which a read of more than the file is an error that no reader catches. */
function strictSource(bytes: Uint8Array): ByteSource {
  const source = memorySource('fuzz', bytes);
  return {
    ...source,
    async read(offset, length) {
      if (length > bytes.length) throw new Error(`${length} bytes of ${bytes.length} were read`);
      return source.read(offset, length);
    },
  };
}

/** Opens a file and reads all of it; anything but a WeightsError is rethrown. */
async function probe(
  bytes: Uint8Array,
  open: (source: ByteSource) => Promise<Checkpoint> = openCheckpoint,
): Promise<void> {
  const start = performance.now();
  try {
    const { tensors } = await open(strictSource(bytes));
    for (const tensor of tensors.values()) {
      const read = await tensor.read(0, tensor.length);
      expect(read.byteLength).toBeLessThanOrEqual(bytes.length);
    }
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
  }
  expect(performance.now() - start).toBeLessThan(MOST_MS);
}

const someFile = fc.constantFrom(...files.values());
/** Changes to bytes: where, as a share of the file, and to what. */
const changes = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)), {
  minLength: 1,
  maxLength: 8,
});

function changed(file: Uint8Array, edits: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = Uint8Array.from(file);
  for (const [share, byte] of edits) bytes[Math.floor(share * (bytes.length - 1))] = byte;
  return bytes;
}

describe('sample checkpoints', () => {
  test('with any bytes changed', async () => {
    await fc.assert(
      fc.asyncProperty(someFile, changes, (file, edits) => probe(changed(file, edits))),
      { numRuns: 400 },
    );
  });

  test('with bytes changed where the structure is', async () => {
    // The pickle is at the start, the zip directory at the end.
    const near = fc.tuple(fc.boolean(), fc.nat(2500), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(someFile, fc.array(near, { minLength: 1, maxLength: 4 }), (file, edits) => {
        const bytes = Uint8Array.from(file);
        for (const [atEnd, at, byte] of edits) bytes[atEnd ? bytes.length - 1 - at : at] = byte;
        return probe(bytes);
      }),
      { numRuns: 600 },
    );
  });

  test('cut, and cut out of the middle', async () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(someFile, share, share, async (file, a, b) => {
        const [from, to] = [a, b].map((at) => Math.floor(at * file.length)).sort((x, y) => x - y);
        await probe(file.subarray(0, to));
        await probe(Uint8Array.of(...file.subarray(0, from), ...file.subarray(to)));
      }),
      { numRuns: 150 },
    );
  });

  test.each(['exotic.pt', 'exotic_legacy.pt'])(
    '%s with each bit of its start flipped',
    async (name) => {
      const file = files.get(name)!;
      for (let at = 0; at < 400; at++) {
        await probe(file.map((byte, i) => (i === at ? byte ^ (1 << (at % 8)) : byte)));
      }
    },
  );
});

describe('invented files', () => {
  test('of any bytes', async () => {
    const starts = [[], [0x50, 0x4b, 3, 4], [0x80, 2, 0x8a, 10]];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...starts),
        fc.uint8Array({ maxLength: 500 }),
        async (start, rest) => {
          await probe(Uint8Array.of(...start, ...rest));
          await probe(Uint8Array.of(...start, ...rest), openPt);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('zip files whose directory lies', async () => {
    const claim = fc.option(fc.oneof(fc.nat(1000), fc.maxSafeNat()), { nil: undefined });
    const entry = fc.record({
      name: fc.constantFrom('a/data.pkl', 'a/data/0', 'a/byteorder', 'b', ''),
      data: fc.uint8Array({ maxLength: 50 }),
      method: fc.constantFrom(0, 0, 0, 8, 99),
      flags: fc.constantFrom(0, 8, 1, 0xffff),
      size: claim,
      offset: claim,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 4 }), fc.boolean(), async (entries, zip64) => {
        const inputs = entries.map(({ size, offset, ...input }) => ({
          ...input,
          claimed: { ...(size !== undefined && { size }), ...(offset !== undefined && { offset }) },
        }));
        await probe(assemble(layoutZip(inputs, zip64)), openPt);
      }),
      { numRuns: 300 },
    );
  });
});

describe('pickles', () => {
  const foreign = ['os.system', 'torch.Tensor', 'numpy.ndarray', 'a.B'];
  const names = [...CALLS.keys(), ...STORAGES.keys(), ...DTYPES.keys(), ...foreign].map((name) => {
    const dot = name.lastIndexOf('.');
    return Uint8Array.of(
      0x63,
      ...new TextEncoder().encode(`${name.slice(0, dot)}\n${name.slice(dot + 1)}\n`),
    );
  });
  const opcode = fc.constantFrom(...OPCODES.keys()).map((code) => Uint8Array.of(code));
  const small = fc.nat(5).map((n) => pickle([long(n)]).slice(2, -1));
  const word = fc
    .constantFrom('storage', '0', 'cpu', 'latin1', 'model', 'args')
    .map((w) => pickle([text(w)]).slice(2, -1));
  const piece = fc.oneof(
    { weight: 6, arbitrary: opcode },
    { weight: 2, arbitrary: small },
    { weight: 2, arbitrary: word },
    { weight: 3, arbitrary: fc.constantFrom(...names) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6 }) },
  );

  test('of any opcodes give values, end early or are refused', () => {
    let values = 0;
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const bytes = Uint8Array.of(0x80, 2, ...pieces.flatMap((p) => [...p]), 0x2e);
        try {
          const result = unpickle('fuzz', bytes);
          if (!result) return;
          values++;
          const [taken] = stateDictsOf('fuzz', result.value);
          assertNothingForeign('fuzz', taken);
          trainingArgs(taken);
        } catch (error) {
          if (!(error instanceof WeightsError)) throw error;
        }
      }),
      { numRuns: 5000 },
    );
    expect(values).toBeGreaterThan(0);
  });
});

describe('safetensors headers', () => {
  const dtype = fc.constantFrom('F32', 'BF16', 'U8', 'F4', 7, null);
  const number = fc.oneof(fc.nat(8), fc.constantFrom(-1, 0.5, 2 ** 53, 1e300));
  const entry = fc.record(
    { dtype, shape: fc.array(number, { maxLength: 3 }), data_offsets: fc.array(number) },
    { requiredKeys: [] },
  );

  test('of any JSON', async () => {
    const header = fc.oneof(
      fc.json(),
      fc
        .dictionary(fc.string({ maxLength: 4 }), entry, { maxKeys: 3 })
        .map((o) => JSON.stringify(o)),
    );
    await fc.assert(
      fc.asyncProperty(header, fc.nat(40), (json, length) =>
        probe(rawFile(json, length), async (source) => openCheckpoint(source)),
      ),
      { numRuns: 500 },
    );
  });

  test('with any bytes changed', async () => {
    const file = sample('exotic.pt.safetensors');
    await fc.assert(
      fc.asyncProperty(changes, async (edits) => {
        const bytes = changed(
          file.subarray(0, 2000),
          edits.map(([at, byte]) => [at, byte]),
        );
        await probe(Uint8Array.of(...bytes, ...file.subarray(2000)));
      }),
      { numRuns: 300 },
    );
  });

  test('the samples are sound', async () => {
    await expect(
      openSafetensors(memorySource('twin', sample('exotic.pt.safetensors'))),
    ).resolves.toBeDefined();
    for (const file of files.values()) {
      await expect(openPt(memorySource('sample', file))).resolves.toBeDefined();
    }
  });
});
