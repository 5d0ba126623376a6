// machine.ts: where and when the figures were taken; without it they mean nothing.
//
// The load average tells how busy the machine was with other things: ratios survive that better than times.

import { readFileSync } from 'node:fs';
import os from 'node:os';
import { versions } from './programs.ts';

export interface Machine {
  readonly date: string;
  readonly node: string;
  readonly v8: string;
  readonly cpu: string;
  readonly cores: number;
  readonly system: string;
  readonly memoryGiB: number;
  readonly loadAverage: number;
  /** Installed peers and servers, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

function packageVersion(url: URL): string | undefined {
  try {
    return (JSON.parse(readFileSync(url, 'utf8')) as { version: string }).version;
  } catch {
    return undefined;
  }
}

export async function thisMachine(): Promise<Machine> {
  const [cpu] = os.cpus();
  const found: Record<string, string> = {};
  const own = packageVersion(new URL('../../package.json', import.meta.url));
  if (own !== undefined) found.tendril = own;
  for (const name of ['effection', 'effect', 'ioredis', 'redis', 'undici']) {
    const version = packageVersion(new URL(`../node_modules/${name}/package.json`, import.meta.url));
    if (version !== undefined) found[name] = version;
  }
  return {
    date: new Date().toISOString(),
    node: process.version,
    v8: process.versions.v8,
    cpu: cpu?.model ?? 'unknown',
    cores: os.cpus().length,
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    loadAverage: os.loadavg()[0] ?? 0,
    versions: { ...found, ...(await versions()) },
  };
}

export function describeMachine(machine: Machine): string {
  const { node, v8, cpu, cores, system, memoryGiB, loadAverage, date } = machine;
  const peers = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `Node ${node} (V8 ${v8}), ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}`,
    `${date}, load average ${loadAverage.toFixed(1)} before the first row`,
    peers.join(', '),
    ...(loadAverage > cores / 2
      ? ['The machine is busy: the ratios of CPU time say more than those of elapsed time.']
      : []),
  ].join('\n');
}
