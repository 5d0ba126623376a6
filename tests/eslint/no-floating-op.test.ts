// no-floating-op.test.ts: which expressions drop an Op, and what is offered instead.
import { noFloatingOp } from 'tendril/eslint';
import { describe, expect, it } from 'vitest';
import { checkRule, type Invalid, type Valid } from './rule-cases.ts';

const head =
  "import { all, call, Channel, Coroutine, fn, Greenlet, type Op, race, run, scope, select, sleep, spawn, timeout, until, type Waitable, yieldNow } from 'tendril';\n" +
  'declare const channel: Channel<number>; declare const flag: boolean; declare const maybe: Channel<number> | undefined;\n' +
  'function* worker(n = 1) { yield* sleep(n); return n; }\n' +
  'function* instant() { return 1; }\n';

/** Code in a generator function. */
const body = (code: string): string => `${head}function* example() { ${code} }`;
/** Code in the module itself. */
const outside = (code: string): string => `${head}${code}`;

const fine = (name: string, code: string): Valid => ({ name, code });
/** One Op dropped in a generator function, and the same with what the suggestion makes of it. */
const forgotten = (name: string, code: string, suggested?: string): Invalid => ({
  name,
  code: body(code),
  errors: ['floating'],
  suggested: [suggested === undefined ? undefined : body(suggested)],
});

const valid = [
  fine(
    'lets an Op under yield* pass',
    body('yield* sleep(1); const n = yield* channel.receive(); yield* channel.send(n);'),
  ),
  fine('lets the result of yield* be dropped', body('yield* worker(); yield* all([worker(), worker()]);')),
  fine(
    'lets an Op be an argument',
    body('yield* timeout(5, channel.receive()); yield* race([sleep(1), worker()]); console.log(sleep(1));'),
  ),
  fine(
    'lets an Op be assigned',
    body('const op = sleep(1); let other: Op<unknown>; other = op; other ||= channel.receive(); yield* other;'),
  ),
  fine(
    'lets an Op be returned',
    outside('const nap = () => sleep(1); function rest(): Op<void> { return flag ? sleep(1) : yieldNow(); }'),
  ),
  fine(
    'lets an Op be stored in an object or array',
    body('const ops = { a: sleep(1), b: [worker()] }; ops.b.push(worker()); yield* select({ a: ops.a });'),
  ),
  fine(
    'lets a collection of Ops be dropped',
    body('const ops = [sleep(1)]; ops.reverse(); new Set(ops).add(sleep(2)); [worker()];'),
  ),
  fine(
    'lets greenlets be dropped',
    body('spawn(worker, 1); new Greenlet(worker, 2).start(); yield* scope(function* (s) { s.spawn(worker, 3); });'),
  ),
  fine(
    'lets plain functions be called',
    body('channel.trySend(1); channel.close(); spawn(worker).kill(); void 0; console.log(1);'),
  ),
  fine('lets the promise of run() be dropped', outside('run(worker); void run(worker); run(() => sleep(1));')),
  fine(
    'lets ordinary iterables and generators be dropped',
    outside("function* count() { yield 1; } count(); new Map().entries(); 'text'; [1, 2].values();"),
  ),
  fine('lets a value without a type be dropped', body('const value: any = sleep(1); value; (value as unknown);')),
  fine(
    'lets an arrow function return an Op to a caller that takes one',
    body('yield* call(flag ? sleep(1) : worker()); spawn(() => sleep(1)); [1].map((n) => sleep(n));'),
  ),
  fine(
    'lets an arrow function return what is no Op to a caller that ignores it',
    body('[1].forEach((n) => channel.trySend(n)); setTimeout(() => spawn(worker), 1);'),
  ),
  fine(
    'lets a generator function be handed to a caller that ignores its result',
    body("process.on('exit', function* () { yield* sleep(1); });"),
  ),
  fine(
    'lets a generator that is declared to yield Ops yield them',
    outside('function* ops(): Generator<Op<void>> { yield sleep(1); }'),
  ),
  fine(
    'lets a generator yield Ops where an iterable of Ops is expected',
    outside('declare function take(each: () => Iterable<Op<void>>): void; take(function* () { yield sleep(1); });'),
  ),
  fine('lets a generator yield what is no Op', outside('function* count() { yield 1; yield [sleep(1)]; yield; }')),
  fine(
    'lets await wait for a promise',
    outside('async function main() { await run(worker); await maybe; await Promise.all([run(worker)]); }'),
  ),
  fine(
    'lets an iterable promise be dropped: it has started',
    outside('interface Both extends Op<number>, PromiseLike<number> {} declare function both(): Both; both();'),
  ),
  fine(
    'lets an Op be built by methods that return it',
    body(
      'interface Transaction extends Op<number[]> { set(n: number): this; get(): Transaction } declare const t: Transaction; t.set(1); t.set(1).get(); Object.freeze(t); yield* t;',
    ),
  ),
  fine('lets a type parameter without an Op as its bound be dropped', outside('function drop<T>(value: T) { value; }')),
];

const invalid: Invalid[] = [
  forgotten('reports a wait as a statement', 'sleep(1);', 'yield* sleep(1);'),
  forgotten('reports each method of a channel that waits', 'channel.send(1);', 'yield* channel.send(1);'),
  forgotten('reports an Op in a variable', 'const op = sleep(1); op;', 'const op = sleep(1); yield* op;'),
  forgotten('reports a generator that was called', 'worker(1);', 'yield* worker(1);'),
  forgotten('reports a generator that never waits', 'instant();', 'yield* instant();'),
  forgotten('reports a composite', 'timeout(5, sleep(1));', 'yield* timeout(5, sleep(1));'),
  forgotten('reports all()', 'all([sleep(1), worker()]);', 'yield* all([sleep(1), worker()]);'),
  forgotten('reports a wait for a promise', 'until(Promise.resolve(1));', 'yield* until(Promise.resolve(1));'),
  forgotten('reports a join', 'spawn(worker).join();', 'yield* spawn(worker).join();'),
  forgotten('reports what fn() made', 'const deep = fn(worker); deep(3);', 'const deep = fn(worker); yield* deep(3);'),
  forgotten(
    'reports a switch to a coroutine',
    'new Coroutine(worker).switch();',
    'yield* new Coroutine(worker).switch();',
  ),
  forgotten('reports void', 'void sleep(1);', 'yield* sleep(1);'),
  forgotten(
    'reports void inside another expression',
    'const n = void sleep(1); return n;',
    'const n = void (yield* sleep(1)); return n;',
  ),
  forgotten('reports a cast', '(sleep(1) as Op<void>);', '(yield* sleep(1) as Op<void>);'),
  forgotten(
    'reports what is left of a comma',
    'const n = (sleep(1), 5); return n;',
    'const n = (yield* sleep(1), 5); return n;',
  ),
  forgotten('reports what is right of a dropped comma', 'flag, sleep(1);', 'flag, yield* sleep(1);'),
  forgotten('reports what is right of &&', 'flag && sleep(1);', 'flag && (yield* sleep(1));'),
  forgotten('keeps the parentheses that are there', 'flag || (sleep(1));', 'flag || (yield* sleep(1));'),
  forgotten(
    'reports the step of a for loop',
    'for (let i = 0; i < 3; channel.send(i)) i += 1;',
    'for (let i = 0; i < 3; yield* channel.send(i)) i += 1;',
  ),
  forgotten(
    'reports an Op that another Op gave',
    'yield* channels(); function* channels() { yield* sleep(1); return sleep(2); }',
    'yield* yield* channels(); function* channels() { yield* sleep(1); return sleep(2); }',
  ),
  forgotten('offers nothing for an Op that may be absent', 'maybe?.receive();'),
  {
    name: 'reports both branches',
    code: body('flag ? sleep(1) : channel.send(2);'),
    errors: ['floating', 'floating'],
    suggested: [body('flag ? yield* sleep(1) : channel.send(2);'), body('flag ? sleep(1) : yield* channel.send(2);')],
  },
  {
    name: 'reports both in nested commas and void, each once',
    code: body('void (sleep(1), sleep(2));'),
    errors: ['floating', 'floating'],
    suggested: [body('void (yield* sleep(1), sleep(2));'), body('void (sleep(1), yield* sleep(2));')],
  },
  {
    name: 'reports an Op of the user and a bounded type parameter',
    code: body(
      'declare const own: { [Symbol.iterator](): Iterator<never, number> } & Op<number>; own; function drop<T extends Waitable<1>>(op: T) { op; }',
    ),
    errors: ['floating', 'outside'],
    suggested: [
      body(
        'declare const own: { [Symbol.iterator](): Iterator<never, number> } & Op<number>; yield* own; function drop<T extends Waitable<1>>(op: T) { op; }',
      ),
      undefined,
    ],
  },
  { name: 'reports an Op at the top of a module', code: outside('sleep(1);'), errors: ['outside'] },
  {
    name: 'reports an Op in an ordinary function in a generator',
    code: body('return () => { channel.send(1); };'),
    errors: ['outside'],
  },
  {
    name: 'reports an Op in a parameter of a generator',
    code: outside('function* f(n = (sleep(1), 1)) { yield* sleep(n); }'),
    errors: ['outside'],
  },
  {
    name: 'reports an Op in a field of a class',
    code: body('return class { n = (sleep(1), 1); static { sleep(2); } };'),
    errors: ['outside', 'outside'],
  },
  {
    name: 'reports an Op in an async generator',
    code: outside('async function* f() { sleep(1); yield 1; }'),
    errors: ['outside'],
  },
  {
    name: 'reports an arrow function whose caller ignores the Op',
    code: body('[1].forEach((n) => channel.send(n)); setTimeout(() => sleep(1), 5);'),
    errors: ['ignored', 'ignored'],
  },
  {
    name: 'reports an arrow function that drops the Op itself',
    code: body('return () => void sleep(1);'),
    errors: ['outside'],
  },
  {
    name: 'reports await',
    code: outside('async function main() { const n = await channel.receive(); await sleep(1); return n; }'),
    errors: ['awaited', 'awaited'],
  },
  {
    name: 'adds the star to yield',
    code: body('const n = yield channel.receive(); return n;'),
    errors: ['withoutStar'],
    fixed: body('const n = yield* channel.receive(); return n;'),
  },
  {
    name: 'adds the star where another yield has it',
    code: body('yield* sleep(1); yield sleep(2);'),
    errors: ['withoutStar'],
    fixed: body('yield* sleep(1); yield* sleep(2);'),
  },
  {
    name: 'adds the star in a body that is spawned',
    code: outside('spawn(function* () { yield sleep(1); });'),
    errors: ['withoutStar'],
    fixed: outside('spawn(function* () { yield* sleep(1); });'),
  },
  { name: 'adds no star before what may be absent', code: body('yield maybe?.receive();'), errors: ['withoutStar'] },
];

checkRule('no-floating-op', noFloatingOp, 'addYield', { valid, invalid });

describe('no-floating-op without types', () => {
  it('says what it needs', () => {
    expect(() => checkNothing()).toThrow(/needs type information/);
  });
});

function checkNothing(): void {
  noFloatingOp.create({ sourceCode: { parserServices: {} } } as unknown as Parameters<typeof noFloatingOp.create>[0]);
}
