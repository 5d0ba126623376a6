// tasks.ts: what an executor runs: functions of a module, by the module's address and the function's name.
//
// A task is never a closure and never source text. What travels to a thread or a process is the address, the name and the arguments; there the module is
// imported, which registers its tasks again, and the task is started by the copy of this library that the module itself uses. So a worker has one kernel,
// wherever its entry file comes from.
//
// The registry is the process's (the thread's): copies of this library share it, because they have to find each other's sets.
// Sources: Python's multiprocessing (importable functions, no closures); Celery's registered tasks.

import { fileURLToPath } from 'node:url';
import { typeError } from '../core/bad-argument.ts';
import { Greenlet } from '../core/greenlet.ts';
import { requireScheduler } from '../core/kernel.ts';
import { isOp, nameOf, type Op } from '../core/op.ts';
import { checkOptions, own } from '../io/address.ts';
import '../io/hub.ts';
import { until } from '../io/until.ts';

/** A function that can be a task: it returns an Op (a generator function does), a promise or a value. It runs in a greenlet. */
export type TaskBody = (...args: never[]) => unknown;

/** What a task gives whose body returns `R`. */
export type TaskValue<R> = R extends Op<infer T> ? T : Awaited<R>;

/** A reference to a function that was given to `defineTasks`. */
export interface Task<A extends readonly unknown[], T> {
  /** The URL of the module that defines it. */
  readonly module: string;
  /** The name of its set, which stands for the module on other machines. */
  readonly set: string;
  readonly name: string;
  readonly body: (...args: A) => unknown;
  /** Phantom: carries `T`. @internal */
  readonly resultType?: T;
}

/** A task of whatever arguments and result. @internal */
export type AnyTask = Task<never, unknown>;

/** The tasks of a module, by name. */
export type TaskSet<B extends Readonly<Record<string, TaskBody>>> = {
  readonly [K in keyof B]: Task<Parameters<B[K]>, TaskValue<ReturnType<B[K]>>>;
};

export interface TaskSetOptions<B> {
  /** What the set is called on other machines, where the module may lie elsewhere. The name of the module's file, without its ending, by default. */
  readonly name?: string | undefined;
  /**
   * Checks of arguments that came from outside this thread, called there before the body: return the arguments to use, or throw. Types say nothing of what
   * another version of the program has sent.
   */
  readonly validate?:
    | { readonly [K in keyof B]?: B[K] extends (...args: infer A) => unknown ? (args: readonly unknown[]) => A : never }
    | undefined;
}

/** A task that runs, as its starter sees it: also in another copy of this library, so nothing here is of the kernel. */
export interface StartedTask {
  readonly result: Promise<unknown>;
  /** Kill its greenlet: its signal aborts, its Ops throw Killed. */
  kill(reason: unknown): void;
}

/** What a module has registered. @internal */
export interface RegisteredTask {
  /** The check that was given for its arguments, for a worker that starts it by other means than `start`, which calls it. */
  readonly validate: ArgumentsCheck | undefined;
  start(args: readonly unknown[]): StartedTask;
}

type Registry = Map<string, Map<string, RegisteredTask>>;

const key = Symbol.for('tendril.tasks');
const registry: Registry = ((globalThis as { [key]?: Registry })[key] ??= new Map());

/** The task of that name in a module that has been imported. @internal */
export function registeredTask(module: string, name: string): RegisteredTask | undefined {
  return registry.get(module)?.get(name);
}

/** What the body returned, as an Op: wait for it if it has to be waited for. */
function* outcomeOf(returned: unknown): Op<unknown> {
  if (isOp(returned)) return yield* returned;
  if (typeof (returned as PromiseLike<unknown> | null | undefined)?.then === 'function')
    return yield* until(returned as PromiseLike<unknown>);
  return returned;
}

function* running(task: AnyTask, args: readonly unknown[]): Op<unknown> {
  return yield* outcomeOf((task.body as (...args: readonly unknown[]) => unknown)(...args));
}

/** Make a greenlet that runs `task`; it has not started. @internal */
export function greenletOf(task: AnyTask, args: readonly unknown[]): Greenlet {
  return new Greenlet<unknown>(running, task, args) as Greenlet;
}

function* validated(task: AnyTask, args: readonly unknown[], validate: ArgumentsCheck | undefined): Op<unknown> {
  return yield* running(task, validate === undefined ? args : validate(args));
}

/**
 * Define the tasks of a module: functions that an executor runs, here or elsewhere. Never switches.
 *
 * Call it at the top level of the module and export what it returns; other code submits `tasks.hash` and needs nothing but the import. A body may be a generator
 * function, which runs as a greenlet (`signal()`, `sleep` and sockets work in it), an async function, or a plain one.
 *
 * ```ts fragment
 * export const tasks = defineTasks(import.meta.url, {
 *   hash: (text: string) => createHash('sha256').update(text).digest('hex'),
 *   *fetchSize(url: string) { return (yield* http.get(url)).body.length; },
 * });
 * ```
 *
 * @throws TypeError if `url` is no URL of a module, a body is no function, or `validate` has something that is no check of one of them.
 */
export function defineTasks<const B extends Readonly<Record<string, TaskBody>>>(
  url: string,
  bodies: B,
  options?: TaskSetOptions<B>,
): TaskSet<B> {
  if (typeof url !== 'string' || !URL.canParse(url))
    throw typeError(`defineTasks: the first argument is import.meta.url, not ${nameOf(url)}`);
  if (typeof bodies !== 'object' || bodies === null)
    throw typeError(`defineTasks: the second argument is an object of functions, not ${nameOf(bodies)}`);
  const given = checkOptions(options, 'defineTasks');
  const set = own<unknown>(given, 'name') ?? fileNameOf(url);
  if (typeof set !== 'string' || !/^[\w-]+$/.test(set))
    throw typeError(
      `defineTasks: the name of a set consists of letters, digits, _ and -, which ${nameOf(set)} does not`,
    );
  const validate = checksFrom(given, bodies);
  const registered = registry.get(url) ?? new Map<string, RegisteredTask>();
  registry.set(url, registered);
  const tasks: Record<string, AnyTask> = {};
  for (const [name, body] of Object.entries(bodies)) {
    if (typeof body !== 'function') throw typeError(`defineTasks: ${name} is ${nameOf(body)}, not a function`);
    if (!/^[\w$]+$/.test(name))
      throw typeError(`defineTasks: '${name}' is no name for a task: letters, digits, _ and $`);
    const task = Object.freeze({ module: url, set, name, body });
    tasks[name] = task;
    const check = own<ArgumentsCheck>(validate, name);
    registered.set(name, {
      validate: check,
      start(args): StartedTask {
        const greenlet = new Greenlet<unknown>(validated, task, args, check);
        const result = greenlet.promise();
        greenlet.start();
        // What has called is a message of the host: the task need not wait for another pass of the loop.
        requireScheduler().turnSoon();
        return { result, kill: (reason) => void greenlet.kill(reason) };
      },
    });
  }
  return Object.freeze(tasks) as unknown as TaskSet<B>;
}

type ArgumentsCheck = (args: readonly unknown[]) => readonly unknown[];

/** `validate`, of which a name that is misspelt would check nothing. */
function checksFrom(given: object, bodies: object): Readonly<Record<string, ArgumentsCheck>> {
  const validate = own<unknown>(given, 'validate') ?? {};
  if (typeof validate !== 'object')
    throw typeError(
      `defineTasks: validate is an object with a function for each task that it checks, not ${nameOf(validate)}`,
    );
  for (const [name, check] of Object.entries(validate as object)) {
    if (!Object.hasOwn(bodies, name))
      throw typeError(`defineTasks: validate.${name} checks no task: there are ${Object.keys(bodies).join(', ')}`);
    if (typeof check !== 'function')
      throw typeError(`defineTasks: validate.${name} is ${nameOf(check)}, not a function`);
  }
  return validate as Readonly<Record<string, ArgumentsCheck>>;
}

function fileNameOf(url: string): string {
  const path = url.startsWith('file:') ? fileURLToPath(url) : new URL(url).pathname;
  return (path.split(/[\\/]/).pop() as string).replace(/\.[cm]?[jt]sx?$/, '').replace(/[^\w-]/g, '-');
}

/** `task 'hash'`, for messages. @internal */
export function taskLabel(task: Pick<AnyTask, 'name'>): string {
  return `task '${task.name}'`;
}

/** Refuse what is no task. @internal */
export function checkTask(task: unknown, where: string): void {
  const candidate = task as Partial<AnyTask> | null | undefined;
  if (typeof candidate?.module === 'string' && typeof candidate.body === 'function') return;
  throw typeError(
    `${where}: ${nameOf(task)} is no task: put the function into defineTasks(import.meta.url, {...}) at the top level of a module, and submit what that returns`,
  );
}
