// services.ts: whether what a test needs from outside is there.
//
// A test that needs a service asks for it while its file loads and is skipped, with the reason printed, where the service is missing:
//
//   const redis = await probe('redis');
//   describe.skipIf(redis === undefined)('The Redis client', () => { ... redis!.port ... });
//
// TENDRIL_REQUIRE_SERVICES=1 turns the skip into a failure: `.ci/run` sets it, so that nothing is skipped there unseen.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where each service listens unless TENDRIL_<NAME>=host:port says otherwise. */
const defaults = {
  redis: { host: '127.0.0.1', port: 6379 },
  // Of tests/libraries: unmodified clients of others.
  postgres: { host: '127.0.0.1', port: 5432 },
  mariadb: { host: '127.0.0.1', port: 3306 },
  rabbitmq: { host: '127.0.0.1', port: 5672 },
  mqtt: { host: '127.0.0.1', port: 1883 },
  nats: { host: '127.0.0.1', port: 4222 },
} as const satisfies Record<string, Address>;

export type Service = keyof typeof defaults;

const required = process.env.TENDRIL_REQUIRE_SERVICES === '1';

function missing(reason: string): undefined {
  if (required) throw new Error(`${reason}, and TENDRIL_REQUIRE_SERVICES=1 asks for it`);
  console.warn(`skipped: ${reason}`);
  return undefined;
}

function addressOf(service: Service): Address {
  const variable = `TENDRIL_${service.toUpperCase()}`;
  const text = process.env[variable];
  if (text === undefined || text === '') return defaults[service];
  const match = /^\[?(.+?)\]?:(\d+)$/.exec(text);
  if (match === null) throw new Error(`${variable}='${text}' is not host:port`);
  return { host: match[1] as string, port: Number(match[2]) };
}

/** The error that a TCP connection to `address` ends in, or undefined if it opens. */
function connectError(address: Address, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(address);
    const settle = (error: string | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(error);
    };
    const timer = setTimeout(() => settle(`no answer within ${timeoutMs} ms`), timeoutMs);
    socket.once('connect', () => settle(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
  });
}

/** Where `service` accepts TCP connections, or undefined, with the reason printed, if it does not. */
export async function probe(service: Service, timeoutMs = 1_000): Promise<Address | undefined> {
  const address = addressOf(service);
  const error = await connectError(address, timeoutMs);
  return error === undefined ? address : missing(`no ${service} at ${address.host}:${address.port} (${error})`);
}

/** A Python that can run `code`, which needs `what`, or undefined, with the reason printed. */
export function probePython(code: string, what: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  // The system's own too, which has the packages of the system: another one may come first on PATH.
  for (const path of [...folders.map((folder) => join(folder, 'python3')), '/usr/bin/python3']) {
    if (spawnSync(path, ['-c', code], { stdio: 'ignore', timeout: 20_000 }).status === 0) return path;
  }
  return missing(`no python3 with ${what}`);
}

/** The path of `program`, for tests that start their own server, or undefined, with the reason printed, if PATH has none. */
export function probeProgram(program: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return missing(`no program ${program} on PATH`);
}
