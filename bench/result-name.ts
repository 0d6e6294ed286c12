/** Names of files in bench/results. */
import type { Environment } from './environment.ts';

/** `DATE-ADAPTER-SUITES.json`; without suites, `default`. */
export function resultName(
  { date, adapter }: Pick<Environment, 'date' | 'adapter'>,
  suites: readonly string[],
): string {
  const { vendor, architecture, device, description } = adapter;
  const hardware = description || device || `${vendor} ${architecture}`;
  const name = adapter.software ? architecture : hardware;
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return `${date.slice(0, 10)}-${plain || 'adapter'}-${suites.join('-') || 'default'}.json`;
}
