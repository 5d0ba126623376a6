// gate.ts: a proxy in front of a real server, which can hold back what the server answers.
//
// It makes "in flight" a state instead of a race, also for servers that answer everything at once. It is made of tendril's own sockets.
import {
  type Address,
  connect,
  Event,
  type Greenlet,
  type Listener,
  listen,
  type Op,
  type Socket,
  scope,
  serve,
  spawn,
} from 'tendril';

export class Gate {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #listener: Listener;
  readonly #open = new Event();
  readonly #serving: Greenlet<unknown>;
  #asked = 0;

  constructor(target: { readonly host: string; readonly port: number }, listener: Listener) {
    this.#target = target;
    this.#listener = listener;
    this.#open.set();
    const forward = (socket: Socket): Op<void> => this.#forward(socket);
    this.#serving = spawn(serve, listener, forward, { graceMs: 0 });
  }

  static *before(target: { readonly host: string; readonly port: number }): Op<Gate> {
    return new Gate(target, yield* listen({ host: '127.0.0.1', port: 0 }));
  }

  get address(): Address {
    return this.#listener.address;
  }

  /** How often something was asked since the gate was shut. */
  get asked(): number {
    return this.#open.isSet ? 0 : this.#asked;
  }

  shut(): void {
    this.#asked = 0;
    this.#open.clear();
  }

  open(): void {
    this.#open.set();
  }

  *#forward(client: Socket): Op<void> {
    const server = yield* connect(this.#target);
    const open = this.#open;
    const asks = (): void => void (this.#asked += 1);
    try {
      yield* scope(function* (s) {
        s.spawn(function* () {
          for (let chunk = yield* client.read(); chunk !== null; chunk = yield* client.read()) {
            asks();
            yield* server.write(chunk);
          }
          server.end();
        });
        for (let chunk = yield* server.read(); chunk !== null; chunk = yield* server.read()) {
          yield* open.wait();
          yield* client.write(chunk);
        }
        client.end();
      });
    } finally {
      server.close();
    }
  }

  *close(): Op<void> {
    this.open();
    this.#serving.kill();
    yield* this.#serving.join();
  }
}
