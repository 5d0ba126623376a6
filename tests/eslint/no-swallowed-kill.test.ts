// no-swallowed-kill.test.ts: which `catch` clauses may keep Killed to themselves, and what is offered instead.
import { noSwallowedKill } from 'tendril/eslint';
import { checkRule, type Invalid, plainTester, type Valid } from './rule-cases.ts';

const imports =
  "import { Channel, isKilled, Killed, type Op, rethrowKilled, sleep, TimeoutError, UsageError } from 'tendril';\n";
const head =
  'declare const channel: Channel<number>; declare const flag: boolean; declare function log(...values: unknown[]): void;\n' +
  'declare function isTimeout(error: unknown): error is TimeoutError; declare function isOdd(error: unknown): boolean;\n';

/** A try block that waits, and this clause after it. */
const around = (clause: string, first = imports): string =>
  `${first}${head}function* example() { for (;;) { try { return yield* channel.receive(); } ${clause} } }`;
const program = (code: string): string => `${imports}${head}${code}`;

const passes = (name: string, clause: string): Valid => ({ name: `lets ${name} pass`, code: around(clause) });
const swallows = (name: string, clause: string, suggested?: string): Invalid => ({
  name: `reports ${name}`,
  code: around(clause),
  errors: ['swallowed'],
  suggested: [suggested === undefined ? undefined : around(suggested)],
});

const valid: Valid[] = [
  passes('rethrowKilled first', 'catch (error) { rethrowKilled(error); log(error); }'),
  passes('isKilled first', 'catch (error) { if (isKilled(error)) throw error; return 1; }'),
  passes('isKilled in a block', 'catch (error) { if (isKilled(error)) { log(1); throw error; } return 1; }'),
  passes('a rethrow', 'catch (error) { throw error; }'),
  passes('a rethrow after cleaning up', 'catch (error) { channel.close(); log(error); throw error; }'),
  passes('a rethrow after waiting, which throws Killed again', 'catch (error) { yield* sleep(1); throw error; }'),
  passes(
    'a rethrow of all but one class',
    'catch (error) { if (!(error instanceof TimeoutError)) throw error; return 1; }',
  ),
  passes(
    'a rethrow of all but two classes',
    'catch (error) { if (error instanceof TimeoutError || error instanceof UsageError) return 1; throw error; }',
  ),
  passes('a rethrow in else', 'catch (error) { if (error instanceof TimeoutError) log(1); else throw error; }'),
  passes('a test of Killed by its class', 'catch (error) { if (error instanceof Killed) throw error; return 1; }'),
  passes('all that is not Killed being handled', 'catch (error) { if (!isKilled(error)) return 1; throw error; }'),
  passes(
    'a test of the code',
    "catch (error) { if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; return 1; }",
  ),
  passes(
    'a test of the code of what may be nothing',
    "catch (error) { if ((error as { code?: string } | undefined)?.code === 'KILLED') throw error; }",
  ),
  passes('a test of the name', "catch (error) { if ((error as Error).name === 'AbortError') return 1; throw error; }"),
  passes(
    'a switch over the code',
    "catch (error) { switch ((error as NodeJS.ErrnoException).code) { case 'ENOENT': return 1; case 'EXIT': break; default: throw error; } }",
  ),
  passes(
    'a switch whose every way rethrows',
    'catch (error) { switch (flag) { case true: log(1); default: throw error; } }',
  ),
  passes('a type guard of a class', 'catch (error) { if (isTimeout(error)) return 1; throw error; }'),
  passes('both ways of an unknown test', 'catch (error) { if (flag) { rethrowKilled(error); } else { throw error; } }'),
  passes(
    'an unknown test before the rethrow',
    'catch (error) { if (flag) log(error); rethrowKilled(error); return 1; }',
  ),
  passes(
    'an error that is Killed or wrapped',
    'catch (error) { throw isKilled(error) ? error : new Error("failed", { cause: error }); }',
  ),
  passes(
    'a rethrow under another name',
    'catch (error) { const failure = error as Error; log(failure.message); throw failure; }',
  ),
  passes('a rethrow of a cast', 'catch (error) { throw error as Error; }'),
  passes(
    'a loop before the rethrow',
    'catch (error) { for (const each of [1, 2]) { if (flag) continue; log(each); } throw error; }',
  ),
  passes('a try with finally that rethrows', 'catch (error) { try { log(error); } finally { throw error; } }'),
  passes(
    'cleaning up that may fail before the rethrow',
    'catch (error) { try { channel.close(); } catch { log(1); } throw error; }',
  ),
  passes(
    'a rethrow through an inner catch',
    'catch (error) { try { throw error; } catch (inner) { rethrowKilled(inner); } }',
  ),
  passes(
    'functions that return before the rethrow',
    'catch (error) { const f = () => { return 1; }; function g() { return 2; } log(f, g); throw error; }',
  ),
  {
    name: 'lets try with finally alone pass',
    code: program('function* f() { try { yield* sleep(1); } finally { log(1); } }'),
  },
  {
    name: 'lets a catch around what cannot wait pass',
    code: program('function* f() { try { log(1); } catch { log(2); } yield* sleep(1); }'),
  },
  {
    name: 'lets a catch pass whose yield* is in its own block or in finally',
    code: program('function* f() { try { log(1); } catch { yield* sleep(1); } finally { yield* sleep(2); } }'),
  },
  {
    name: 'lets a catch around a nested generator function pass',
    code: program('function* f() { try { return function* () { yield* sleep(1); }; } catch { return 1; } }'),
  },
  {
    name: 'lets a catch in an ordinary generator pass',
    code: program(
      'function* count() { yield 1; } function* f() { try { yield* count(); yield* [1, 2]; } catch { log(1); } }',
    ),
  },
  {
    name: 'lets a catch in an async function pass',
    code: program('async function f() { try { await Promise.resolve(); } catch { log(1); } }'),
  },
  {
    name: 'lets renamed imports and a namespace pass',
    code: "import { isKilled as k, rethrowKilled as r, sleep } from 'tendril'; import * as tendril from 'tendril';\nfunction* f() { try { yield* sleep(1); } catch (e) { r(e); } try { yield* sleep(1); } catch (e) { if (k(e)) throw e; } try { yield* sleep(1); } catch (e) { tendril.rethrowKilled(e); } }",
  },
];

const invalid: Invalid[] = [
  swallows('a catch without a binding', 'catch { log(1); }', 'catch (error) { rethrowKilled(error); log(1); }'),
  swallows('an empty catch', 'catch {}', 'catch (error) { rethrowKilled(error); }'),
  swallows(
    'a catch that handles all',
    'catch (error) { log(error); }',
    'catch (error) { rethrowKilled(error); log(error); }',
  ),
  swallows(
    'a catch that returns',
    'catch (failure) { return failure; }',
    'catch (failure) { rethrowKilled(failure); return failure; }',
  ),
  swallows(
    'a catch that goes on with a loop',
    'catch (error) { if (flag) continue; throw error; }',
    'catch (error) { rethrowKilled(error); if (flag) continue; throw error; }',
  ),
  swallows(
    'a catch that leaves a loop',
    'catch (error) { if (flag) break; throw error; }',
    'catch (error) { rethrowKilled(error); if (flag) break; throw error; }',
  ),
  swallows(
    'a catch that throws another error',
    "catch (error) { throw new Error('failed', { cause: error }); }",
    "catch (error) { rethrowKilled(error); throw new Error('failed', { cause: error }); }",
  ),
  swallows(
    'a test of Error, which Killed is',
    'catch (error) { if (error instanceof Error) return 1; throw error; }',
    'catch (error) { rethrowKilled(error); if (error instanceof Error) return 1; throw error; }',
  ),
  swallows(
    'a class that is rethrown alone',
    'catch (error) { if (error instanceof TimeoutError) throw error; }',
    'catch (error) { rethrowKilled(error); if (error instanceof TimeoutError) throw error; }',
  ),
  swallows(
    'a test that cannot be judged',
    'catch (error) { if (isOdd(error)) return 1; throw error; }',
    'catch (error) { rethrowKilled(error); if (isOdd(error)) return 1; throw error; }',
  ),
  swallows(
    'a kill that is handled',
    'catch (error) { if (isKilled(error)) return 1; throw error; }',
    'catch (error) { rethrowKilled(error); if (isKilled(error)) return 1; throw error; }',
  ),
  swallows(
    'a test of another error',
    'catch (error) { const other = new Error(); if (isKilled(other)) throw error; }',
    'catch (error) { rethrowKilled(error); const other = new Error(); if (isKilled(other)) throw error; }',
  ),
  swallows(
    'rethrowKilled on one way only',
    'catch (error) { if (flag) rethrowKilled(error); }',
    'catch (error) { rethrowKilled(error); if (flag) rethrowKilled(error); }',
  ),
  swallows(
    'rethrowKilled after a way out',
    'catch (error) { if (flag) return 1; rethrowKilled(error); }',
    'catch (error) { rethrowKilled(error); if (flag) return 1; rethrowKilled(error); }',
  ),
  swallows(
    'rethrowKilled in a callback',
    'catch (error) { setTimeout(() => rethrowKilled(error), 1); }',
    'catch (error) { rethrowKilled(error); setTimeout(() => rethrowKilled(error), 1); }',
  ),
  swallows(
    'an inner catch that keeps the rethrow',
    'catch (error) { try { throw error; } catch { log(1); } }',
    'catch (error) { rethrowKilled(error); try { throw error; } catch { log(1); } }',
  ),
  swallows(
    'a finally that overrides the rethrow',
    'catch (error) { try { throw error; } finally { return 1; } }',
    'catch (error) { rethrowKilled(error); try { throw error; } finally { return 1; } }',
  ),
  swallows(
    'a loop that returns before the rethrow',
    'catch (error) { while (flag) return 1; throw error; }',
    'catch (error) { rethrowKilled(error); while (flag) return 1; throw error; }',
  ),
  swallows(
    'a switch without a way for Killed',
    "catch (error) { switch ((error as NodeJS.ErrnoException).code) { case 'ENOENT': throw error; } }",
    "catch (error) { rethrowKilled(error); switch ((error as NodeJS.ErrnoException).code) { case 'ENOENT': throw error; } }",
  ),
  swallows(
    'a switch that cannot be judged',
    'catch (error) { switch (flag) { case true: break; default: throw error; } }',
    'catch (error) { rethrowKilled(error); switch (flag) { case true: break; default: throw error; } }',
  ),
  swallows('an error that is taken apart, and offers nothing', 'catch ({ message }) { log(message); }'),
  {
    name: 'finds a yield* in a condition, an argument and a nested try',
    code: program(
      'function* f() { try { if (flag) log(yield* sleep(1)); } catch {} try { try { yield* sleep(2); } finally { log(1); } } catch {} }',
    ),
    errors: ['swallowed', 'swallowed'],
    suggested: [
      program(
        'function* f() { try { if (flag) log(yield* sleep(1)); } catch (error) { rethrowKilled(error); } try { try { yield* sleep(2); } finally { log(1); } } catch {} }',
      ),
      program(
        'function* f() { try { if (flag) log(yield* sleep(1)); } catch {} try { try { yield* sleep(2); } finally { log(1); } } catch (error) { rethrowKilled(error); } }',
      ),
    ],
  },
  {
    name: 'counts a value without a type as an Op',
    code: program('function* f(op: any) { try { yield* op; } catch {} }'),
    errors: ['swallowed'],
    suggested: [program('function* f(op: any) { try { yield* op; } catch (error) { rethrowKilled(error); } }')],
  },
  {
    name: 'puts the call on a line of its own, with its indent',
    code: around('catch (error) {\n    // why\n    log(error);\n  }'),
    errors: ['swallowed'],
    suggested: [around('catch (error) {\n    // why\n    rethrowKilled(error);\n    log(error);\n  }')],
  },
  {
    name: 'takes a name that the clause does not use',
    code: program('declare const error: string; function* f() { try { yield* sleep(1); } catch { log(error); } }'),
    errors: ['swallowed'],
    suggested: [
      program(
        'declare const error: string; function* f() { try { yield* sleep(1); } catch (thrown) { rethrowKilled(thrown); log(error); } }',
      ),
    ],
  },
  {
    name: 'adds rethrowKilled to the import of tendril',
    code: around('catch {}', "import { Channel } from 'tendril';\n"),
    errors: ['swallowed'],
    suggested: [
      around('catch (error) { rethrowKilled(error); }', "import { Channel, rethrowKilled } from 'tendril';\n"),
    ],
  },
  {
    name: 'adds an import where only types are imported',
    code: around('catch {}', "import type { Channel } from 'tendril';\n"),
    errors: ['swallowed'],
    suggested: [
      around(
        'catch (error) { rethrowKilled(error); }',
        "import { rethrowKilled } from 'tendril';\nimport type { Channel } from 'tendril';\n",
      ),
    ],
  },
  {
    name: 'uses the name that rethrowKilled was imported under',
    code: around('catch {}', "import { Channel, rethrowKilled as pass } from 'tendril';\n"),
    errors: ['swallowed'],
    suggested: [
      around('catch (error) { pass(error); }', "import { Channel, rethrowKilled as pass } from 'tendril';\n"),
    ],
  },
];

checkRule('no-swallowed-kill', noSwallowedKill, 'rethrow', { valid, invalid });

const plain = (clause: string): string =>
  `import { rethrowKilled, sleep } from 'tendril';\nfunction* f() { try { yield* sleep(1); } ${clause} }`;

checkRule(
  'no-swallowed-kill without types',
  noSwallowedKill,
  'rethrow',
  {
    valid: [{ name: 'lets rethrowKilled first pass', code: plain('catch (error) { rethrowKilled(error); }') }],
    invalid: [
      {
        name: 'takes each yield* for one of an Op',
        code: plain('catch {}'),
        errors: ['swallowed'],
        suggested: [plain('catch (error) { rethrowKilled(error); }')],
      },
    ],
  },
  plainTester,
);
