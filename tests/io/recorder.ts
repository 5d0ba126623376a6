// recorder.ts: the sink of a bare transport, which writes down what it is told, and pairs of bare transports on a simulated network.
import { type Op, sleep } from 'tendril';
import type { ListenHandle, Target, TransportOptions } from '../../io/network.ts';
import type { SimulatedNetwork } from '../../io/testing/simulated-network.ts';
import type { Transport, TransportSink } from '../../io/transport.ts';

export const transportOptions: TransportOptions = {
  noDelay: true,
  keepAliveMs: Number.POSITIVE_INFINITY,
  localHost: undefined,
};

export class Recorder implements TransportSink {
  readonly transport: Transport;
  /** What has happened, in order: `12 bytes`, `ended`, `taken`, `read ECONNRESET`, `closed`. Bytes that follow bytes are added up. */
  readonly events: string[] = [];
  readonly chunks: Buffer[] = [];
  #bytes = 0;
  /** Pause after each chunk. */
  pauses = false;
  readonly #now: () => number;

  constructor(transport: Transport, now: () => number = () => 0) {
    this.transport = transport;
    this.#now = now;
  }

  start(): this {
    this.transport.start(this);
    return this;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  received(bytes: Buffer, length: number): boolean {
    this.chunks.push(Buffer.from(bytes.subarray(0, length)));
    if (this.#bytes > 0) this.events.pop();
    this.#bytes += length;
    this.events.push(`${this.#bytes} bytes`);
    return !this.pauses;
  }
  ended(): void {
    this.#note('ended');
  }
  taken(): void {
    if (this.events.at(-1) !== 'taken') this.#note('taken');
  }
  failed(error: unknown): void {
    this.#note(`failed: ${(error as Error).message}`);
  }
  closed(): void {
    this.#note('closed');
  }

  /** Write so many bytes, and note if that failed at once. */
  write(bytes: number | string): void {
    this.transport.write(typeof bytes === 'string' ? bytes : Buffer.alloc(bytes));
    const { failure } = this.transport;
    if (failure !== undefined) this.#note(`write: ${(failure as Error).message}`);
  }

  resume(): void {
    this.pauses = false;
    this.#note('resume');
    this.transport.resume();
  }

  end(): void {
    this.#note('end');
    this.transport.end();
  }

  #note(event: string): void {
    this.#bytes = 0;
    this.events.push(this.#now() === 0 ? event : `${this.#now()} ${event}`);
  }
}

/** The result of a call of the network that calls back. */
export function* called<T>(call: (done: (value: T) => void) => void): Op<T> {
  let result: { readonly value: T } | undefined;
  call((value) => {
    result = { value };
  });
  while (result === undefined) yield* sleep(0.25);
  return result.value;
}

export interface Pair {
  readonly client: Recorder;
  readonly server: Recorder;
}

interface Ends {
  readonly from?: string;
  readonly to?: string;
  readonly path?: string;
  readonly options?: Partial<TransportOptions>;
  /** Leave the accepted end unstarted. */
  readonly accepted?: 'unstarted';
}

/** A connection between two hosts, as bare transports; both have started. */
export function* pairOn(net: SimulatedNetwork, ends: Ends = {}): Op<Pair> {
  const { from = 'client', to = 'server', path } = ends;
  const options = { ...transportOptions, ...ends.options };
  const near = net.host(from);
  const far = path === undefined ? net.host(to) : near;
  let accepted: Transport | undefined;
  const handle = yield* called<ListenHandle>((done) => {
    far.boot?.listen({ path, host: undefined, port: 0, backlog: 10 }, options, {
      listening: done,
      failed(error) {
        throw error;
      },
      connected(transport) {
        accepted = transport;
      },
      closed() {},
    });
  });
  const { port } = handle.address;
  const target: Target = path === undefined ? { path, host: far.addresses[0] as string, port, family: 4 } : { path };
  const connected = yield* called<Transport>((done) => {
    near.boot?.connect(target, options, (error, transport) => {
      if (transport === undefined) throw error;
      done(transport);
    });
  });
  while (accepted === undefined) yield* sleep(0.25);
  handle.close();
  const server = new Recorder(accepted);
  if (ends.accepted !== 'unstarted') server.start();
  return { client: new Recorder(connected).start(), server };
}
