/** `NO_PROXY`: the hosts that are reached without a proxy. */
import { BlockList, isIP } from 'node:net';

/**
 * Whether `noProxy` names a host, as curl reads it: names and their subdomains, addresses, networks
 * (`10.0.0.0/8`), `*` for all. An entry with a port (`name:8080`) counts for that port alone.
 * @param host A name or an address, IPv6 without brackets.
 */
export function isWithoutProxy(noProxy: string, host: string, port: number): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  return noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => entry === '*' || isNamed(entry, name, port));
}

function isNamed(entry: string, name: string, port: number): boolean {
  if (entry === '') return false;
  const [host, entryPort] = splitPort(entry);
  if (entryPort !== undefined && entryPort !== port) return false;
  if (isIP(name) !== 0) return isInNetwork(host, name);
  const domain = host.replace(/^\*?\./, '').replace(/\.$/, '');
  return domain !== '' && (name === domain || name.endsWith(`.${domain}`));
}

/** `name:80`, `[::1]:80` and `[::1]`; an IPv6 address without brackets has no port. */
function splitPort(entry: string): [host: string, port: number | undefined] {
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  return [bracketed ?? plain ?? entry, port === undefined ? undefined : Number(port)];
}

/** Whether an address is the one of an entry, or in its network. */
function isInNetwork(entry: string, address: string): boolean {
  const [start = '', bits] = entry.split('/');
  const family = isIP(address);
  if (isIP(start) !== family) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const most = family === 4 ? 32 : 128;
  const prefix = bits === undefined ? most : Number(bits);
  if (bits === '' || !Number.isInteger(prefix) || prefix < 0 || prefix > most) return false;
  const network = new BlockList();
  network.addSubnet(start, prefix, type);
  return network.check(address, type);
}
