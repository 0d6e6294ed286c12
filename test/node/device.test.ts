import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { DeviceError, OptionError } from '../../src/errors.ts';
import { openDevice } from '../../src/node/device.ts';
import { unpackSwiftshader } from '../../src/node/swiftshader.ts';
import { systemDrivers, withDriver } from '../../src/node/vulkan.ts';

const hasSwiftshader = process.platform === 'linux' && process.arch === 'x64';

/** Runs a module in a process of its own, with these variables. */
async function runModule(code: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', code],
    { env: { ...process.env, ...env }, timeout: 60_000 },
  );
  return stdout.trim();
}

const OPEN = `import { openDevice } from ${JSON.stringify(new URL('../../src/node/device.ts', import.meta.url).href)};`;

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('openDevice', () => {
  test('gives a device that computes, with the limits of the adapter', async () => {
    const { device, adapter, toggles, close } = await openDevice();
    const { maxStorageBufferBindingSize } = adapter.limits;
    expect(device.limits.maxStorageBufferBindingSize).toBe(maxStorageBufferBindingSize);
    expect(toggles.join()).toContain('disable_robustness');
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    const buffer = device.createBuffer({ size: 4, usage });
    device.queue.writeBuffer(buffer, 0, Uint32Array.of(42));
    await buffer.mapAsync(GPUMapMode.READ);
    expect(new Uint32Array(buffer.getMappedRange())[0]).toBe(42);
    close();
    expect((await device.lost).reason).toBe('destroyed');
  });

  test('leaves bounds checks on when asked', async () => {
    const { toggles, close } = await openDevice({ robust: true });
    expect(toggles.join()).not.toContain('disable_robustness');
    close();
  });

  test('refuses an unknown adapter', async () => {
    await expect(openDevice({ adapter: 'null' as 'auto' })).rejects.toThrow(OptionError);
    await expect(
      runModule(`${OPEN} await openDevice();`, { LLAMAGEN_ADAPTER: 'x' }),
    ).rejects.toThrow(/expected auto, system, swiftshader, got "x"/);
  });

  test('refuses a variable that says neither yes nor no', async () => {
    vi.stubEnv('LLAMAGEN_VALIDATION', 'off');
    await expect(openDevice()).rejects.toThrow(
      new OptionError('LLAMAGEN_VALIDATION expected 0 or 1, got "off"'),
    );
  });

  test.skipIf(!hasSwiftshader)('can be made to take SwiftShader', async () => {
    const { adapter, software, notes, close } = await openDevice({ adapter: 'swiftshader' });
    expect(adapter.info.architecture).toBe('swiftshader');
    expect(software).toBe(true);
    expect(notes).toEqual([]);
    close();
  });

  test.skipIf(!hasSwiftshader)('falls back when the system has only a broken driver', async () => {
    const code = `${OPEN} const d = await openDevice(); console.log(d.notes[0], process.env.VK_DRIVER_FILES); d.close();`;
    const broken = { VK_DRIVER_FILES: '/nowhere/gpu.json', VK_ICD_FILENAMES: '/nowhere/gpu.json' };
    expect(await runModule(code, broken)).toMatch(
      /^using the software adapter SwiftShader: .*\/nowhere\/gpu.json.* \/nowhere\/gpu.json$/,
    );
  });

  test.skipIf(!hasSwiftshader)('names what to install when the system has no adapter', async () => {
    const code = `${OPEN} await openDevice({ adapter: 'system' }).catch((e) => console.log(e.name, e.problem, e.message));`;
    const broken = { VK_DRIVER_FILES: '/nowhere/gpu.json', VK_ICD_FILENAMES: '/nowhere/gpu.json' };
    expect(await runModule(code, broken)).toMatch(/^DeviceError no-adapter .*install .*Vulkan/);
  });

  test('lets the process end after close, and leaves standard output to the program', async () => {
    const stray = `const { device, close } = await openDevice();
      const reported = new Promise((r) => device.addEventListener('uncapturederror', r));
      device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
      await reported;
      close();
      console.log('end');`;
    expect(await runModule(`${OPEN} ${stray}`)).toBe('end');
  });
});

describe.skipIf(!hasSwiftshader)('unpackSwiftshader', () => {
  test('unpacks once, also from several processes at once, and mends what is missing', async () => {
    const cache = mkdtempSync(join(tmpdir(), 'llamagen-test-'));
    const env = { XDG_CACHE_HOME: cache };
    const module = new URL('../../src/node/swiftshader.ts', import.meta.url).href;
    const code = `import { unpackSwiftshader } from ${JSON.stringify(module)}; console.log(unpackSwiftshader().icd);`;
    const paths = await Promise.all([1, 2, 3].map(() => runModule(code, env)));
    expect(new Set(paths).size).toBe(1);
    expect(readdirSync(join(cache, 'llamagen-webgpu'))).toHaveLength(1);
    const { loader, icd } = unpackSwiftshader(env);
    expect(icd).toBe(paths[0]);
    rmSync(loader);
    expect(unpackSwiftshader(env).loader).toBe(loader);
    expect(readdirSync(join(icd, '..'))).toHaveLength(3);
    rmSync(cache, { recursive: true });
  });

  test('takes the folder for temporary files when the cache cannot be written', () => {
    const folder = mkdtempSync(join(tmpdir(), 'llamagen-test-'));
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const { icd } = unpackSwiftshader({ XDG_CACHE_HOME: file });
    expect(icd.startsWith(join(tmpdir(), 'llamagen-webgpu-'))).toBe(true);
    rmSync(folder, { recursive: true });
  });
});

describe.skipIf(process.platform !== 'linux')('Vulkan drivers', () => {
  test('those given by variable come first, else those of the usual folders', () => {
    expect(systemDrivers({ VK_DRIVER_FILES: '/a.json:/b.json' })).toEqual(['/a.json', '/b.json']);
    const nowhere = { HOME: '/nowhere', XDG_DATA_DIRS: '/nowhere', XDG_CONFIG_DIRS: '/nowhere' };
    expect(systemDrivers(nowhere)).not.toContain('nowhere');
  });

  test('withDriver puts the variables back, also after a failure', () => {
    const before = process.env.VK_DRIVER_FILES;
    expect(withDriver('/x.json', () => process.env.VK_DRIVER_FILES)).toBe('/x.json');
    expect(() =>
      withDriver('/x.json', () => {
        throw new DeviceError('lost', 'x');
      }),
    ).toThrow(DeviceError);
    expect(process.env.VK_DRIVER_FILES).toBe(before);
  });
});
