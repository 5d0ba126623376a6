// select.test-d.ts: what the types of select, wait and iwait promise, and what they refuse.
//
// Checked by `npm run typecheck` and never run. A line under `@ts-expect-error` must not compile: tsc reports one that does.
import {
  AsyncResult,
  all,
  Channel,
  Condition,
  Event,
  iwait,
  Mutex,
  type Op,
  Queue,
  type Selected,
  type SelectedElse,
  select,
  sleep,
  spawn,
  timeout,
  until,
  type Waitable,
  wait,
} from 'tendril';
import { expectTypeOf } from 'vitest';

interface Job {
  readonly id: number;
}

function* answer(): Op<42> {
  yield* sleep(1);
  return 42;
}

export function* named(): Op<void> {
  const jobs = new Channel<Job>();
  const stop = new Event();
  const first = yield* select({ job: jobs.receive(), stop: stop.wait(), tick: sleep(10) });
  expectTypeOf(first.key).toEqualTypeOf<'job' | 'stop' | 'tick'>();
  switch (first.key) {
    case 'job':
      expectTypeOf(first.value).toEqualTypeOf<Job>();
      break;
    case 'stop':
    case 'tick':
      expectTypeOf(first.value).toEqualTypeOf<void>();
      break;
    default:
      expectTypeOf(first).toEqualTypeOf<never>();
  }

  // With `else` there is one key more, and its value keeps its type.
  const orElse = yield* select({ job: jobs.receive() }, { else: 'nothing' });
  if (orElse.key === 'else') expectTypeOf(orElse.value).toEqualTypeOf<string>();
  else expectTypeOf(orElse.value).toEqualTypeOf<Job>();
  expectTypeOf(yield* select({ job: jobs.receive() }, { else: undefined, priority: true })).toEqualTypeOf<
    { readonly key: 'job'; readonly value: Job } | SelectedElse<undefined>
  >();

  // The greenlet's own type comes through, literal and all.
  const done = yield* select({ answer: spawn(answer).get(), lock: new Mutex().acquire() });
  if (done.key === 'answer') expectTypeOf(done.value).toEqualTypeOf<42>();

  // An arm that may be switched off.
  const busy = Math.random() > 0.5;
  const maybe = yield* select({ job: busy ? null : jobs.receive(), tick: sleep(1) });
  if (maybe.key === 'job') expectTypeOf(maybe.value).toEqualTypeOf<Job>();
}

export function* positional(): Op<void> {
  const numbers = new Channel<number>();
  const words = new Queue<string>();
  const first = yield* select([numbers.receive(), words.get(), numbers.send(1)]);
  expectTypeOf(first.key).toEqualTypeOf<0 | 1 | 2>();
  if (first.key === 0) expectTypeOf(first.value).toEqualTypeOf<number>();
  if (first.key === 1) expectTypeOf(first.value).toEqualTypeOf<string>();
  if (first.key === 2) expectTypeOf(first.value).toEqualTypeOf<void>();

  const orElse = yield* select([numbers.receive(), words.get()], { else: false });
  expectTypeOf(orElse.key).toEqualTypeOf<0 | 1 | 'else'>();
  if (orElse.key === 'else') expectTypeOf(orElse.value).toEqualTypeOf<boolean>();
  if (orElse.key === 1) expectTypeOf(orElse.value).toEqualTypeOf<string>();

  // Of a list whose length is not known, the key is a number.
  const list: Waitable<string>[] = [words.get()];
  expectTypeOf(yield* select(list)).toEqualTypeOf<{ readonly key: number; readonly value: string }>();
}

export function* nested(): Op<void> {
  const jobs = new Channel<Job>();
  // A limited wait is a wait, and so are a select and the twin with `else`.
  expectTypeOf(timeout(5, jobs.receive())).toExtend<Waitable<Job>>();
  expectTypeOf(timeout(5, jobs.receive(), { else: null })).toExtend<Waitable<Job | null>>();
  const outer = yield* select({
    limited: timeout(5, jobs.receive(), { else: null }),
    inner: select({ promise: until(Promise.resolve('text')), tick: sleep(1) }),
  });
  if (outer.key === 'limited') expectTypeOf(outer.value).toEqualTypeOf<Job | null>();
  else if (outer.value.key === 'promise') expectTypeOf(outer.value.value).toEqualTypeOf<string>();

  type Arms = { a: Waitable<1>; b: Waitable<2> };
  expectTypeOf<Selected<Arms>>().toEqualTypeOf<
    { readonly key: 'a'; readonly value: 1 } | { readonly key: 'b'; readonly value: 2 }
  >();
}

export function* many(): Op<void> {
  const numbers = new Channel<number>();
  const ready = yield* wait([numbers.receive(), spawn(answer).get()]);
  for (const one of ready) {
    if (one.ok) expectTypeOf(one.value).toEqualTypeOf<number>();
    else expectTypeOf(one.error).toEqualTypeOf<unknown>();
  }
  // Things of several types give a union; an event only the news.
  const mixed = yield* wait([numbers.receive(), new Channel<string>().receive(), new Event()]);
  for (const one of mixed) if (one.ok) expectTypeOf(one.value).toEqualTypeOf<number | string | undefined>();

  const results = iwait([new AsyncResult<string>().get()]);
  const next = yield* results.next();
  if (next.done === true) expectTypeOf(next.value).toEqualTypeOf<undefined>();
  else if (next.value.ok) expectTypeOf(next.value.value).toEqualTypeOf<string>();
  expectTypeOf(results.next()).toExtend<Waitable<unknown>>();
}

export function* refusals(): Op<void> {
  const jobs = new Channel<Job>();

  // @ts-expect-error a generator takes several waits: race() is for those
  yield* select({ job: jobs.receive(), computed: answer() });

  // @ts-expect-error so does all
  yield* select([jobs.receive(), all([sleep(1)])]);

  // @ts-expect-error so does a timeout around a generator
  yield* select({ job: jobs.receive(), computed: timeout(5, answer()) });

  // @ts-expect-error a condition waits twice
  yield* select({ changed: new Condition().wait() });

  // @ts-expect-error a promise is no Waitable: until() makes one of it
  yield* select({ answer: Promise.resolve(1) });

  // @ts-expect-error a greenlet is no Waitable: join() or get() it
  yield* select({ greenlet: spawn(answer) });

  // @ts-expect-error an arm is switched off by null, not by undefined
  yield* select({ job: undefined, tick: sleep(1) });

  // @ts-expect-error there is no such option
  yield* select({ tick: sleep(1) }, { otherwise: 1 });

  const first = yield* select({ job: jobs.receive(), tick: sleep(1) });
  // @ts-expect-error which arm it was has to be asked first
  first.value.id;
  // @ts-expect-error there is no such arm
  if (first.key === 'jobs') return;

  // @ts-expect-error wait takes single waits and what has an obvious one
  yield* wait([answer()]);

  // @ts-expect-error a promise has none
  iwait([Promise.resolve(1)]);
}
