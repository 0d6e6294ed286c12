/** "Every case of every record equals its oracle, on every variant." */
import { test } from 'vitest';
import { casesOf } from '../records/cases.ts';
import { checkCase } from '../records/check.ts';
import { FOLDERS } from '../records/index.ts';
import { titleOf } from '../records/words.ts';
import { testDevice } from './device.ts';

/** Tests of all kernels of a folder; `-t '^linear '` runs those of one. */
export async function testFolder(folder: string): Promise<void> {
  const records = FOLDERS.get(folder);
  if (!records) throw new Error(`there are no records of kernels/${folder}`);
  const device = await testDevice();
  for (const record of records) {
    for (const params of casesOf(record, device)) {
      test(titleOf(record.name, params), () => checkCase(device, record, params));
    }
  }
}
