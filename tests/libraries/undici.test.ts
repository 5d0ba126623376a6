// undici.test.ts: undici in greenlets.
//
// With `signal: signal()` a kill or a timeout cancels the request: its connection is destroyed, because an answer might still come on it, and a new one is made.
// Without it the request goes on, and a response that nobody reads keeps its connection.
import { type Op, signal, spawn, until } from 'tendril';
import { Agent, fetch, request } from 'undici';
import { expect, it } from 'vitest';
import { inSequence, type Library, libraryTests, type Subject, untilHolding, using } from './subject.ts';
import { WebServer } from './web-server.ts';

abstract class Undici implements Subject {
  readonly agent = new Agent({ connections: 10 });
  readonly server: WebServer;
  constructor(server: WebServer) {
    this.server = server;
  }

  abstract one(n: number): Op<number>;
  abstract held(): Op<unknown>;

  *holding(): Op<number> {
    return this.server.holding;
  }

  *release(): Op<void> {
    this.server.release();
  }

  *close(): Op<void> {
    yield* this.agent.destroy();
    yield* this.server.close();
  }
}

class Requests extends Undici {
  *one(n: number): Op<number> {
    const { body } = yield* request(`${this.server.url}/${n}`, { dispatcher: this.agent, signal: signal() });
    return ((yield* body.json()) as { n: number }).n;
  }

  *held(): Op<unknown> {
    return yield* request(`${this.server.url}/held`, { dispatcher: this.agent, signal: signal() });
  }
}

class Fetches extends Undici {
  *one(n: number): Op<number> {
    const response = yield* fetch(`${this.server.url}/${n}`, { dispatcher: this.agent, signal: signal() });
    return ((yield* response.json()) as { n: number }).n;
  }

  // The same, as until() has it: the signal of this one wait.
  *held(): Op<unknown> {
    return yield* until((signal) => fetch(`${this.server.url}/held`, { dispatcher: this.agent, signal }));
  }
}

class WithoutSignal extends Undici {
  *one(n: number): Op<number> {
    const { body } = yield* request(`${this.server.url}/${n}`, { dispatcher: this.agent });
    return ((yield* body.json()) as { n: number }).n;
  }

  *held(): Op<unknown> {
    return yield* request(`${this.server.url}/held`, { dispatcher: this.agent });
  }
}

function libraryOf(subject: new (server: WebServer) => Undici, inFlight: Library['inFlight']): Library {
  return {
    *open(): Op<Subject> {
      return new subject(yield* WebServer.open());
    },
    inFlight,
    meanwhile: 'answered',
  };
}

const requests = libraryOf(Requests, 'is cancelled');
libraryTests('undici.request with signal()', requests, false, () => {
  it('makes a new connection in place of the one whose request was cancelled', async () => {
    const seen = await using(requests, function* (subject) {
      const { server } = subject as Undici;
      yield* subject.one(1);
      const before = server.accepted;
      const asking = spawn(() => subject.held());
      yield* untilHolding(subject, 1);
      asking.kill();
      yield* untilHolding(subject, 0);
      return { before, answers: yield* inSequence(subject), after: server.accepted };
    });
    expect(seen).toEqual({ before: 1, answers: [1, 2, 3], after: 2 });
  });
});

libraryTests('undici.fetch with signal()', libraryOf(Fetches, 'is cancelled'), false);
libraryTests('undici.request without a signal', libraryOf(WithoutSignal, 'goes on'), false);
