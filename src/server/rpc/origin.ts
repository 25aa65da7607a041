/** What counts as one origin of connections. */
import { isIPv6 } from 'node:net';

const GROUPS = 8;
/** Networks of this many groups are given to one customer: 64 bits (RFC 6177). */
const NETWORK_GROUPS = 4;
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** The address itself; of IPv6 its /64 network, in which one machine has all addresses. */
export function originOf(address: string): string {
  const mapped = MAPPED.exec(address);
  if (mapped !== null) return mapped[1]!;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%')[0]!.toLowerCase().split('::');
  const [first, last] = [head, tail ?? ''].map((part) => (part === '' ? [] : part.split(':')));
  const zeros = tail === undefined ? 0 : GROUPS - first!.length - last!.length;
  const groups = [...first!, ...new Array<string>(zeros).fill('0'), ...last!];
  return `${groups.slice(0, NETWORK_GROUPS).join(':')}::/64`;
}
