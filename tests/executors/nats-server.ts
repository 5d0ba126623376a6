// nats-server.ts: a private NATS server with JetStream for a test: on a free port, with its store in a temporary folder, to be killed and started again over the same store.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type PrivateServer, startServer } from '../samples/private-server.ts';
import { probeProgram } from '../services.ts';

export const program: string | undefined = probeProgram('nats-server');

export interface NatsServer {
  readonly port: number;
  /** 'host:port', as the option `servers` takes it. */
  readonly address: string;
  /** Stop it, as a machine does that hangs: connections stay open and nothing answers. `go` lets it go on. */
  hang(): void;
  go(): void;
  /** Kill it with SIGKILL. */
  kill(): Promise<void>;
  /** Start it again, on the same port and store. */
  start(): Promise<void>;
  /** Kill it and remove the store. */
  end(): Promise<void>;
}

export async function startNats(...more: string[]): Promise<NatsServer> {
  const store = mkdtempSync(path.join(tmpdir(), 'tendril-nats-'));
  const args = (port: number): string[] => ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', store, ...more];
  let server: PrivateServer = await startServer(program as string, args);
  const { port } = server;
  return {
    port,
    address: `127.0.0.1:${port}`,
    hang: () => void process.kill(server.pid, 'SIGSTOP'),
    go: () => void process.kill(server.pid, 'SIGCONT'),
    kill: () => server.end(),
    async start() {
      server = await startServer(program as string, args, port);
    },
    async end() {
      await server.end();
      rmSync(store, { recursive: true, force: true });
    },
  };
}
