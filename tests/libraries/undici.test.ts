// undici.test.ts: undici in greenlets.
//
// With `signal: signal()` a kill or a timeout cancels the request: its connection is destroyed, because an answer might still come on it, and a new one is made.
// Without it the request goes on, and a response that nobody reads keeps its connection.
import { type Op, signal, spawn, timeout, until } from 'tendril';
import { Agent, fetch, request } from 'undici';
import { expect, it } from 'vitest';
import { inSequence, type Library, libraryTests, noOrphans, type Subject, untilHolding, using } from './subject.ts';
import { WebServer } from './web-server.ts';

abstract class Undici implements Subject {
  readonly agent: Agent;
  readonly server: WebServer;
  constructor(server: WebServer, connections = 10) {
    this.server = server;
    this.agent = new Agent({ connections });
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

function libraryOf(
  subject: new (server: WebServer, connections?: number) => Undici,
  inFlight: Library['inFlight'],
  connections?: number,
): Library {
  return {
    *open(): Op<Subject> {
      return new subject(yield* WebServer.open(), connections);
    },
    inFlight,
    meanwhile: 'answered',
  };
}

libraryTests('undici.request with signal()', libraryOf(Requests, 'is cancelled'), false, () => {
  it('makes a new connection in place of the one whose request was cancelled', async () => {
    const seen = await using(libraryOf(Requests, 'is cancelled', 1), function* (subject) {
      const { server } = subject as Undici;
      yield* subject.one(1);
      const before = server.accepted;
      const asking = spawn(() => subject.held());
      yield* untilHolding(subject, 1);
      asking.kill();
      yield* untilHolding(subject, 0);
      return { answers: yield* inSequence(subject), renewed: server.accepted > before };
    });
    expect(seen).toEqual({ answers: [1, 2, 3], renewed: true });
  });
});

libraryTests('undici.fetch with signal()', libraryOf(Fetches, 'is cancelled'), false);

libraryTests('undici.request without a signal', libraryOf(WithoutSignal, 'goes on'), false, () => {
  it('keeps its connection busy if the answer is long and nobody reads it', async () => {
    const seen = await using(libraryOf(WithoutSignal, 'goes on', 1), function* (subject) {
      const asking = spawn(() => subject.held());
      yield* untilHolding(subject, 1);
      asking.kill();
      yield* asking.join();
      (subject as Undici).server.release('x'.repeat(10_000_000));
      yield* noOrphans();
      // With the signal this would be answered on another connection.
      return yield* timeout(200, subject.one(1), { else: 'no connection' });
    });
    expect(seen).toBe('no connection');
  });
});
