// fastify.test.ts: fastify with generator handlers and hooks: handler() makes functions of them that return a promise.
//
// The client here is tendril's own: its kill or timeout closes the connection, and then the handler's greenlet is killed.
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { Event, http, isKilled, type Op, sleep, spawn, TimeoutError, timeout } from 'tendril';
import { handler } from 'tendril/patches';
import { expect, it } from 'vitest';
import { inSequence, type Library, libraryTests, type Subject, untilHolding, using } from './subject.ts';

class Fastify implements Subject {
  readonly app: FastifyInstance = fastify({ forceCloseConnections: true });
  readonly released = new Event();
  url = '';
  handlers = 0;
  readonly ends: string[] = [];

  *open(): Op<this> {
    const subject = this;
    this.app.addHook(
      'onRequest',
      handler(function* (_request: FastifyRequest, reply: FastifyReply): Op<void> {
        yield* sleep(0);
        reply.header('x-before', 'yes');
      }),
    );
    this.app.get(
      '/number/:n',
      handler(function* (this: FastifyInstance, request: FastifyRequest) {
        yield* sleep(1);
        return { n: Number((request.params as { n: string }).n), server: this.server === subject.app.server };
      }),
    );
    this.app.get(
      '/held',
      handler(function* (_request: FastifyRequest, _reply: FastifyReply) {
        subject.handlers += 1;
        try {
          yield* subject.released.wait();
          return {};
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
      handler(function* (_request: FastifyRequest, _reply: FastifyReply) {
        yield* timeout(5, sleep(60_000));
      }),
    );
    this.app.setErrorHandler(
      handler(function* (error: unknown, _request: FastifyRequest, reply: FastifyReply) {
        yield* sleep(0);
        reply.status(error instanceof TimeoutError ? 503 : 500);
        return { error: (error as Error).message };
      }),
    );
    this.url = yield* this.app.listen({ host: '127.0.0.1', port: 0 });
    return this;
  }

  *one(n: number): Op<number> {
    const response = yield* http.get(`${this.url}/number/${n}`);
    const answer = (yield* response.json()) as { n: number; server: boolean };
    return answer.server ? answer.n : Number.NaN;
  }

  *held(): Op<unknown> {
    return yield* (yield* http.get(`${this.url}/held`)).text();
  }

  *holding(): Op<number> {
    return this.handlers;
  }

  *release(): Op<void> {
    this.released.set();
  }

  *close(): Op<void> {
    http.closeIdle();
    yield* this.app.close();
  }
}

const library = { open: () => new Fastify().open(), inFlight: 'is cancelled', meanwhile: 'answered' } as const;

libraryTests('fastify', library satisfies Library, false, () => {
  it('kills the greenlet of a handler whose client has left', async () => {
    const ends = await using(library, function* (subject) {
      const asking = spawn(() => subject.held());
      yield* untilHolding(subject, 1);
      asking.kill();
      yield* untilHolding(subject, 0);
      return (subject as Fastify).ends;
    });
    expect(ends).toEqual(['killed']);
  });

  it('gives what a handler throws to the error handler', async () => {
    const seen = await using(library, function* (subject) {
      const response = yield* http.get(`${(subject as Fastify).url}/late`);
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
