// axios.test.ts: axios in greenlets, with Node's http below it.
//
// With `signal: signal()` a kill or a timeout cancels the request and destroys its connection. Without it the request goes on and its answer is dropped.
import { Agent } from 'node:http';
import axios, { type AxiosInstance } from 'axios';
import { type Op, signal } from 'tendril';
import { type Library, libraryTests, type Subject } from './subject.ts';
import { WebServer } from './web-server.ts';

class Axios implements Subject {
  readonly agent = new Agent({ keepAlive: true, maxSockets: 10 });
  readonly server: WebServer;
  readonly client: AxiosInstance;
  readonly #withSignal: boolean;
  constructor(server: WebServer, withSignal: boolean) {
    this.server = server;
    this.#withSignal = withSignal;
    this.client = axios.create({ baseURL: server.url, httpAgent: this.agent, proxy: false });
  }

  *one(n: number): Op<number> {
    const { data } = yield* this.client.get<{ n: number }>(`/${n}`);
    return data.n;
  }

  *held(): Op<unknown> {
    return yield* this.client.get('/held', this.#withSignal ? { signal: signal() } : {});
  }

  *holding(): Op<number> {
    return this.server.holding;
  }

  *release(): Op<void> {
    this.server.release();
  }

  *close(): Op<void> {
    this.agent.destroy();
    yield* this.server.close();
  }
}

function libraryOf(withSignal: boolean): Library {
  return {
    *open(): Op<Subject> {
      return new Axios(yield* WebServer.open(), withSignal);
    },
    inFlight: withSignal ? 'is cancelled' : 'goes on',
    meanwhile: 'answered',
  };
}

libraryTests('axios with signal()', libraryOf(true), false);
libraryTests('axios without a signal', libraryOf(false), false);
