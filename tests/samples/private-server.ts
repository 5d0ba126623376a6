// private-server.ts: a server program of a test's own, on a free port of 127.0.0.1, that the test may kill.
import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';

const host = '127.0.0.1';
const PATIENCE_MS = 20_000;

export interface PrivateServer {
  readonly port: number;
  readonly pid: number;
  /** Kill it, and wait until it has gone. Idempotent. */
  end(): Promise<void>;
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, host, () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Start `program` with the arguments for a port, and wait until it accepts connections. Without `port` one that is free is taken. */
export async function startServer(
  program: string,
  argsFor: (port: number) => readonly string[],
  port?: number,
): Promise<PrivateServer> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  for (;;) {
    const at = port ?? (await freePort());
    const child = spawn(program, argsFor(at), { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-5_000)));
    const gone = new Promise<false>((resolve) => {
      child.once('error', (error) => {
        said += error.message;
        resolve(false);
      });
      child.once('exit', () => resolve(false));
    });
    if (await Promise.race([accepting(at, child), gone]))
      return { port: at, pid: child.pid as number, end: () => ended(child) };
    // Somebody else has taken the port.
    if (Date.now() > deadlineMs) throw new Error(`${program} does not start: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function accepting(port: number, child: ChildProcess): Promise<boolean> {
  while (child.exitCode === null && child.signalCode === null) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = net.connect({ host, port });
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return true;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return false;
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
