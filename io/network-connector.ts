// network-connector.ts: what gives undici its connections where the network is not Node's: a simulated one.
//
// It does what Node does for undici: resolve the name, try the addresses one after the other, within one limit in time. It answers with Node's own
// errors, or an AggregateError of them, so that whoever reads errors of connects does not see a difference. Callbacks come from the network,
// in turns of its scheduler.

import { errors } from 'undici';
import { typeError } from '../core/bad-argument.ts';
import type { Scheduler } from '../core/scheduler.ts';
import type { Timer } from '../core/timers.ts';
import { familyOf } from './address.ts';
import type { Network, Pending, Resolved } from './network.ts';
import { TransportStream } from './transport-stream.ts';

/** As Node's for undici. */
const KEEP_ALIVE_MS = 60_000;

type Done = (error: Error | null, stream: TransportStream | null) => void;

interface ConnectTarget {
  readonly protocol: string;
  readonly hostname: string;
  readonly port: string;
}

/** Begin to connect. The stream that is returned is the one that `done` gets; destroying it gives up. */
export function connectThrough(
  network: Network,
  scheduler: Scheduler,
  target: ConnectTarget,
  limitMs: number,
  done: Done,
): TransportStream {
  return new Connecting(network, scheduler, target, limitMs, done).stream;
}

class Connecting implements Timer {
  // The limit on all of it.
  order = 0;
  slot = -1;
  readonly stream: TransportStream;
  readonly #network: Network;
  readonly #scheduler: Scheduler;
  readonly #host: string;
  readonly #port: number;
  readonly #limitMs: number;
  readonly #done: Done;
  readonly #errors: unknown[] = [];
  #pending: Pending | undefined;
  #over = false;

  constructor(network: Network, scheduler: Scheduler, target: ConnectTarget, limitMs: number, done: Done) {
    this.#network = network;
    this.#scheduler = scheduler;
    this.#host = target.hostname.replace(/^\[|\]$/g, '');
    this.#port = target.port === '' ? 80 : Number(target.port);
    this.#limitMs = limitMs;
    this.#done = done;
    this.stream = new TransportStream(scheduler, () => {
      this.#pending?.cancel();
      this.#finish();
    });
    if (target.protocol === 'https:') {
      const error = typeError('https: is not simulated: use http: with the simulated network', 'ERR_NOT_SIMULATED');
      queueMicrotask(() => this.#end(error));
      return;
    }
    if (limitMs !== Number.POSITIVE_INFINITY) scheduler.sleepers.arm(this, limitMs);
    scheduler.timersChanged();
    const resolved = (error: unknown, addresses: readonly Resolved[]): void => {
      if (error !== undefined) this.#end(error as Error);
      else this.#tryNext(addresses);
    };
    const family = familyOf(this.#host);
    // An address is no name. It is tried later, as after a lookup: never from inside the call.
    if (family !== 0) queueMicrotask(() => this.#tryNext([{ address: this.#host, family }]));
    else this.#pending = network.lookup(this.#host, 0, resolved, () => {});
  }

  due(): void {
    this.#pending?.cancel();
    const where = `${this.#host}:${this.#port}`;
    this.#end(
      new errors.ConnectTimeoutError(
        `Connect Timeout Error (attempted address: ${where}, timeout: ${this.#limitMs}ms)`,
      ),
    );
  }

  #tryNext([address, ...rest]: readonly Resolved[]): void {
    if (this.#over) return;
    if (address === undefined) {
      const [first, ...more] = this.#errors;
      this.#end((more.length === 0 ? first : new AggregateError(this.#errors)) as Error);
      return;
    }
    const target = { path: undefined, host: address.address, port: this.#port, family: address.family };
    const options = { noDelay: true, keepAliveMs: KEEP_ALIVE_MS, localHost: undefined };
    this.#pending = this.#network.connect(target, options, (error, transport) => {
      if (transport === undefined) {
        this.#errors.push(error);
        this.#tryNext(rest);
        return;
      }
      this.stream.attach(transport);
      this.#end(undefined);
    });
  }

  #end(error: Error | undefined): void {
    if (this.#over) return;
    this.#finish();
    if (error === undefined) {
      this.#done(null, this.stream);
      return;
    }
    this.stream.destroy();
    this.#done(error, null);
  }

  #finish(): void {
    this.#over = true;
    if (this.slot === -1) return;
    this.#scheduler.sleepers.cancel(this);
    this.#scheduler.timersChanged();
  }
}
