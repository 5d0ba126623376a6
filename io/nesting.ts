// nesting.ts: programs that a worker imports. A worker loads the module of its tasks, or of its managed classes; if that is the program itself, and what the program does stands
// behind no condition, it would be done again in the worker, which starts a worker, and so on without end.
//
// So while a module is imported for what it defines nothing may be started: no worker, and no main(). What begins only afterwards, in a greenlet that the module has left behind,
// is stopped by the depth: a task may use an executor of its own, and so may that one's, but no more.
//
// The record is the thread's, found by a symbol, because the worker's entry file and the module may have different copies of this library.
// Source: Python's multiprocessing, which refuses to start a process while the main module is being imported.

import { NestedProgramError } from './errors.ts';

interface Nesting {
  /** 0 in a program, 1 in its workers, 2 in theirs. */
  depth: number;
  /** The module that is being imported for what it defines. */
  importing: string | undefined;
}

const deepest = 3;
const argument = '--tendril-depth=';

const key = Symbol.for('tendril.nesting');
// What a worker is preloaded with comes before its entry file, and may start workers too.
const nesting: Nesting = ((globalThis as { [key]?: Nesting })[key] ??= {
  depth: depthIn(process.argv) ?? 0,
  importing: undefined,
});

function depthIn(args: readonly string[]): number | undefined {
  const given = args.find((arg) => arg.startsWith(argument));
  return given === undefined ? undefined : Number(given.slice(argument.length));
}

/** What a worker that is started here is given among its arguments. */
export function depthArgument(): string {
  return `${argument}${nesting.depth + 1}`;
}

/** This is a worker; its arguments say how deep. */
export function beginWorker(args: readonly string[]): void {
  nesting.depth = depthIn(args) ?? 1;
}

/** Import `module` for what it defines. */
export async function importedFor<T>(module: string, load: () => Promise<T>): Promise<T> {
  nesting.importing = module;
  try {
    return await load();
  } finally {
    nesting.importing = undefined;
  }
}

/** May `what` be started here and now? @throws NestedProgramError if not. */
export function checkNesting(what: string): void {
  if (nesting.importing !== undefined) {
    throw new NestedProgramError(
      `${what} while a worker imports ${nesting.importing} for what it defines: this would start the program again in each worker, without end. ` +
        'Put what only the program does behind `if (process.argv[1] === import.meta.filename)`, or the tasks into a module of their own',
    );
  }
  if (nesting.depth >= deepest) {
    throw new NestedProgramError(
      `${what} in a worker of a worker of a worker: does the program start itself again? ` +
        'Put what only the program does behind `if (process.argv[1] === import.meta.filename)`, or the tasks into a module of their own',
    );
  }
}
