// express.test.ts: express with generator handlers: handler() makes plain functions of them.
//
// The client here is tendril's own: its kill or timeout closes the connection, and then the handler's greenlet is killed, so that nothing works for nobody.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type NextFunction, type Request, type Response } from 'express';
import { callback, Event, http, isKilled, type Op, once, sleep, spawn, TimeoutError, timeout } from 'tendril';
import { handler } from 'tendril/patches';
import { expect, it } from 'vitest';
import { inSequence, type Library, libraryTests, type Subject, untilHolding, using } from './subject.ts';

class Express implements Subject {
  readonly app = express();
  readonly released = new Event();
  server!: Server;
  handlers = 0;
  readonly ends: string[] = [];

  *open(): Op<this> {
    const subject = this;
    this.app.set('env', 'test'); // prints no failures
    this.app.use(
      handler(function* (_request: Request, response: Response, next: NextFunction) {
        yield* sleep(0);
        response.setHeader('x-before', 'yes');
        next();
      }),
    );
    this.app.get(
      '/number/:n',
      handler(function* (request: Request<{ n: string }>, response: Response) {
        yield* sleep(1);
        response.json({ n: Number(request.params.n) });
      }),
    );
    this.app.get(
      '/held',
      handler(function* (_request: Request, response: Response) {
        subject.handlers += 1;
        try {
          yield* subject.released.wait();
          response.json({});
        } catch (error) {
          if (isKilled(error)) subject.ends.push('killed');
          throw error;
        } finally {
          subject.handlers -= 1;
        }
      }),
    );
    this.app.get(
      '/late',
      handler(function* () {
        yield* timeout(5, sleep(60_000));
      }),
    );
    this.app.use(
      handler(function* (error: Error, _request: Request, response: Response, _next: NextFunction) {
        yield* sleep(0);
        response.status(error instanceof TimeoutError ? 503 : 500).json({ error: error.message });
      }),
    );
    this.server = this.app.listen(0, '127.0.0.1');
    yield* once(this.server, 'listening');
    return this;
  }

  url(path: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`;
  }

  *one(n: number): Op<number> {
    const response = yield* http.get(this.url(`/number/${n}`));
    return ((yield* response.json()) as { n: number }).n;
  }

  *held(): Op<unknown> {
    return yield* (yield* http.get(this.url('/held'))).text();
  }

  *holding(): Op<number> {
    return this.handlers;
  }

  *release(): Op<void> {
    this.released.set();
  }

  *close(): Op<void> {
    http.closeIdle();
    this.server.closeAllConnections();
    yield* callback((done) => this.server.close(done));
  }
}

const library = { open: () => new Express().open(), inFlight: 'is cancelled', meanwhile: 'answered' } as const;

libraryTests('express', library satisfies Library, false, () => {
  it('kills the greenlet of a handler whose client has left', async () => {
    const ends = await using(library, function* (subject) {
      const asking = spawn(() => subject.held());
      yield* untilHolding(subject, 1);
      asking.kill();
      yield* untilHolding(subject, 0);
      return (subject as Express).ends;
    });
    expect(ends).toEqual(['killed']);
  });

  it('gives what a handler throws to the error handler, which is a generator function of four parameters', async () => {
    const seen = await using(library, function* (subject) {
      const response = yield* http.get((subject as Express).url('/late'));
      const { error } = (yield* response.json()) as { error: string };
      const before = response.headers['x-before'];
      return { status: response.status, error, before, answers: yield* inSequence(subject) };
    });
    expect(seen).toEqual({
      status: 503,
      error: 'timed out after 5 ms in sleep(60000)',
      before: 'yes',
      answers: [1, 2, 3],
    });
  });
});
