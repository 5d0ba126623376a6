// port-scanner.ts: which TCP ports of a host are open: many attempts at once, each with its own time limit.
//
// Scan only what is yours. `open`: somebody accepts connections; `closed`: the host says that nobody does; `filtered`: no answer in time, or the network says
// that there is no way.
//
// How to run: npx tsx samples/port-scanner.ts [host] [ports] [attempts at once]      (127.0.0.1 1-1024 100; ports as in 22,80,8000-8100)

import { ConnectError, connect, DnsError, dns, main, type Op, Pool, TimeoutError } from 'tendril';

export type PortState = 'open' | 'closed' | 'filtered';

export interface ScanOptions {
  /** How many attempts are under way at a time: 100 by default. */
  readonly concurrency?: number | undefined;
  /** How long a port may take to answer: 1,000 ms by default. */
  readonly timeoutMs?: number | undefined;
  /** Called after each port. */
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

const NO_WAY = ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EACCES', 'EPERM'];

/** Try one port. @throws ConnectError for what says nothing about the port, such as a lack of descriptors. */
function* probe(host: string, port: number, timeoutMs: number): Op<PortState> {
  try {
    (yield* connect({ host, port }, { timeoutMs })).close();
    return 'open';
  } catch (error) {
    if (error instanceof TimeoutError) return 'filtered';
    if (!(error instanceof ConnectError)) throw error;
    if (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET') return 'closed';
    if (NO_WAY.includes(error.code)) return 'filtered';
    throw error;
  }
}

/** The state of each of `ports`, in their order. If it is killed, no connection is left. @throws DnsError if there is no such host. */
export function* scan(host: string, ports: readonly number[], options: ScanOptions = {}): Op<Map<number, PortState>> {
  const { concurrency = 100, timeoutMs = 1_000, onProgress } = options;
  const { address } = yield* dns.lookup(host);
  const states = new Map<number, PortState>(ports.map((port) => [port, 'filtered']));
  const total = states.size;
  let done = 0;
  const probes = new Pool(concurrency, { name: 'probes' }).imapUnordered(
    function* one(port: number): Op<void> {
      states.set(port, yield* probe(address, port, timeoutMs));
    },
    [...states.keys()],
  );
  try {
    while (!(yield* probes.next()).done) onProgress?.(++done, total);
  } finally {
    probes.close();
  }
  return states;
}

/** `22,80,8000-8100` as numbers. @throws TypeError for anything else. */
export function portsOf(text: string): number[] {
  const ports = new Set<number>();
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (!(from >= 1 && from <= to && to <= 65_535)) {
      throw Object.assign(new TypeError(`${JSON.stringify(part)} is no port from 1 to 65535, and no range`), {
        code: 'ERR_INVALID_ARG_VALUE',
      });
    }
    for (let port = from; port <= to; port += 1) ports.add(port);
  }
  return [...ports];
}

function* program(): Op<void> {
  const [, , host = '127.0.0.1', text = '1-1024', concurrency = '100'] = process.argv;
  let ports: number[];
  try {
    ports = portsOf(text);
    if (!/^[1-9]\d{0,4}$/.test(concurrency)) throw new TypeError(`${concurrency} attempts at once`);
  } catch (error) {
    console.error(
      `${(error as Error).message}. How to run: port-scanner.ts [host] [22,80,8000-8100] [attempts at once]`,
    );
    process.exitCode = 2;
    return;
  }
  const onProgress = (done: number, of: number): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r${done}/${of}${done === of ? '\n' : ''}`);
  };
  try {
    const states = yield* scan(host, ports, { concurrency: Number(concurrency), onProgress });
    const counts = { open: 0, closed: 0, filtered: 0 };
    for (const [port, state] of states) {
      counts[state] += 1;
      if (state === 'open') console.log(`${port} open`);
    }
    console.log(`${counts.open} open, ${counts.closed} closed, ${counts.filtered} filtered`);
  } catch (error) {
    if (!(error instanceof DnsError || error instanceof ConnectError || error instanceof TimeoutError)) throw error;
    console.error(`Cannot scan ${host}: ${error.message}`);
    process.exitCode = 1;
  }
}

if (process.argv[1] === import.meta.filename) main(program);
