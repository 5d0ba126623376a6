// servers.ts: private servers for the benchmarks that need one, on free ports, with their files in a directory that is removed with them.
//
// Not what is measured: the Redis and HTTP rows compare clients. A server that is not installed is named, and the rows say what took its
// place (HTTP) or are skipped (Redis). Nothing that already runs on this machine is used or touched.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const host = '127.0.0.1';
/** Size of the page that the HTTP rows get. */
export const bodyBytes = 512;

export interface Server {
  readonly port: number;
  /** The program that answers. */
  readonly program: string;
  close(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Wait until `port` accepts, or fail with what the process printed. */
async function accepting(child: ChildProcess, port: number): Promise<void> {
  let printed = '';
  let ended = false;
  child.stderr?.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  child.on('error', () => {
    ended = true;
  });
  child.on('exit', () => {
    ended = true;
  });
  for (let attempt = 0; attempt < 200 && !ended; attempt += 1) {
    const socket = net.connect({ host, port });
    const connected = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    });
    socket.destroy();
    if (connected) return;
    await sleep(25);
  }
  throw new Error(`${child.spawnfile} does not answer on port ${port}: ${printed}`);
}

/** Start a program that serves `port` with its files in a directory of its own; undefined if it is not installed. */
async function serve(
  program: string,
  port: number,
  prepare: (directory: string) => Promise<string[]>,
): Promise<Server | undefined> {
  const directory = await mkdtemp(join(tmpdir(), 'tendril-bench-'));
  const child = spawn(program, await prepare(directory), { stdio: ['ignore', 'ignore', 'pipe'] });
  const exit = new Promise<boolean>((resolve) => {
    child.on('exit', () => resolve(true)).on('error', () => resolve(false));
  });
  const close = async (): Promise<void> => {
    if (child.pid !== undefined && child.exitCode === null) {
      child.kill();
      await exit;
    }
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await Promise.race([once(child, 'spawn'), exit]);
    if (child.pid === undefined) {
      await close();
      return undefined;
    }
    await accepting(child, port);
    return { port, program, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export async function startRedis(): Promise<Server | undefined> {
  const port = await freePort();
  return serve('redis-server', port, async (directory) => [
    ...['--port', String(port), '--bind', host, '--dir', directory],
    ...['--save', '', '--appendonly', 'no', '--daemonize', 'no'],
  ]);
}

export async function startHttp(): Promise<Server> {
  const port = await freePort();
  const nginx = await serve('nginx', port, async (directory) => {
    await writeFile(join(directory, 'page'), 'x'.repeat(bodyBytes));
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    await writeFile(
      join(directory, 'nginx.conf'),
      `daemon off; master_process off; worker_processes 1; pid ${directory}/pid; error_log stderr error;
      events { worker_connections 4096; }
      http {
        ${temporary.map((each) => `${each}_temp_path ${directory}/${each};`).join(' ')}
        access_log off; keepalive_requests 1000000; keepalive_timeout 600s; default_type text/plain;
        server { listen ${host}:${port}; root ${directory}; }
      }`,
    );
    return ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', 'stderr'];
  });
  if (nginx !== undefined) return nginx;
  const page = fileURLToPath(new URL('./page-server.js', import.meta.url));
  const node = await serve(process.execPath, port, async () => [page, String(port), String(bodyBytes)]);
  if (node === undefined) throw new Error('node cannot be started');
  return { ...node, program: 'node:http (nginx is not installed)' };
}
