// real-grounds.ts: loopback TCP, Unix sockets, and TLS over loopback TCP.
//
// Facts that this rests on: a port that was closed a moment ago refuses connections; a Unix socket that has lost its listener, but whose name is still in
// its folder, does so too; a listener in a stopped process whose queue is full answers no SYN.
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ConnectOptions,
  connectTls,
  type Endpoint,
  type Listener,
  type ListenOptions,
  listen,
  listenTls,
  type Op,
  run,
  type Socket,
  until,
} from 'tendril';
import { ca, server } from '../io/certificates.ts';
import { host } from '../io/peers.ts';
import { type StoppedServer, stoppedServer } from '../io/stopped-server.ts';
import { type Ground, type Place, type Site, visit } from './ground.ts';

const SETTLE_MS = 5;
const LIMIT_MS = 8_000;

class TcpSite implements Site {
  readonly kind = 'TCP';
  readonly settleMs = SETTLE_MS;
  readonly limitMs = LIMIT_MS;
  #stopped: StoppedServer | undefined = undefined;

  free(): Endpoint {
    return { host, port: 0 };
  }

  *deserted(): Op<Endpoint> {
    const listener = yield* listen(this.free());
    listener.close();
    return listener.address;
  }

  *silent(): Op<Endpoint> {
    this.#stopped ??= yield* until(stoppedServer());
    return { host, port: this.#stopped.port };
  }

  async end(): Promise<void> {
    await this.#stopped?.end();
  }
}

class TlsSite extends TcpSite {
  listen(endpoint: Endpoint, options?: ListenOptions): Op<Listener> {
    return listenTls(endpoint, { ...options, ...server });
  }

  connect(endpoint: Endpoint, options?: ConnectOptions): Op<Socket> {
    return connectTls(endpoint, { ...options, ca });
  }
}

class UnixSite implements Site {
  readonly kind = 'Unix';
  readonly settleMs = SETTLE_MS;
  readonly limitMs = LIMIT_MS;
  readonly #folder = mkdtempSync(join(tmpdir(), 'tendril-'));
  #names = 0;

  free(): Endpoint {
    this.#names += 1;
    return { path: join(this.#folder, `s${this.#names}`) };
  }

  *deserted(): Op<Endpoint> {
    const listener = yield* listen(this.free());
    const path = `${listener.address.path}-left`;
    renameSync(listener.address.path as string, path);
    listener.close();
    return { path };
  }

  *silent(): Op<Endpoint> {
    throw new Error('a Unix socket whose queue is full refuses at once');
  }

  async end(): Promise<void> {
    rmSync(this.#folder, { recursive: true });
  }
}

async function openOn<T>(site: TcpSite | UnixSite, body: (place: Place) => Op<T>): Promise<T> {
  try {
    return await run(() => visit(site, body));
  } finally {
    await site.end();
  }
}

export const tcp: Ground = { name: 'TCP', kind: 'TCP', open: (body) => openOn(new TcpSite(), body) };
export const unix: Ground = { name: 'Unix', kind: 'Unix', open: (body) => openOn(new UnixSite(), body) };
export const tls: Ground = { name: 'TLS', kind: 'TCP', open: (body) => openOn(new TlsSite(), body) };
