// task-run.ts: running a task in a worker, whatever the worker is: import the module, find the task, start it, and describe how it ended.
//
// It imports nothing of the kernel and defines nothing that is shared with it: the module brings its own copy of this library, which starts the task. Whoever carries
// messages to and from the worker calls `runTask` and `stopTask`, and nothing else.

import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importedFor } from '../io/nesting.ts';
import { describeThrown, type Thrown } from './thrown.ts';

/** A task that a worker is to run. */
export interface TaskCall {
  readonly id: number;
  readonly module: string;
  readonly name: string;
  readonly args: readonly unknown[];
}

/**
 * How it ended. `load`: its module could not be imported or has no such task; `result`: it returned what cannot come back; `killed`: because it was asked to stop.
 */
export type TaskAnswer =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'error' | 'load' | 'result'; readonly thrown: Thrown }
  | { readonly kind: 'killed' };

interface Started {
  readonly result: Promise<unknown>;
  kill(reason: unknown): void;
}
interface Registered {
  start(args: readonly unknown[]): Started;
}

const registryKey = Symbol.for('tendril.tasks');

/** Tasks that run in this worker, by id; those of which only the import has begun have none yet. */
const running = new Map<number, { started: Started | undefined; asked: { readonly reason: unknown } | undefined }>();

/** Run a task to its end. `loaded` is called when its module is there, before it starts. Never rejects. */
export async function runTask(call: TaskCall, loaded?: () => void): Promise<TaskAnswer> {
  const record: { started: Started | undefined; asked: { readonly reason: unknown } | undefined } = {
    started: undefined,
    asked: undefined,
  };
  running.set(call.id, record);
  try {
    const task = registered(call) ?? (await load(call));
    loaded?.();
    if (record.asked !== undefined) return { kind: 'killed' };
    if ('thrown' in task) return task;
    record.started = task.start(call.args);
    return { kind: 'value', value: await record.started.result };
  } catch (error) {
    if (record.asked !== undefined && (error as { code?: unknown } | null)?.code === 'ERR_GREENLET_KILLED')
      return { kind: 'killed' };
    return { kind: 'error', thrown: describeThrown(error) };
  } finally {
    running.delete(call.id);
  }
}

/** Ask a task to stop: its greenlet is killed. Nothing happens if it has ended. */
export function stopTask(id: number, reason: unknown): void {
  const record = running.get(id);
  if (record === undefined) return;
  record.asked ??= { reason };
  record.started?.kill(reason);
}

async function imported(module: string): Promise<void> {
  try {
    await import(module);
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error;
    // On Node 20 a loader of TypeScript is known to `import` in the main thread alone, to `require` in all of them; without one `require` would take the file for JavaScript.
    const require = createRequire(import.meta.url);
    const file = fileURLToPath(module);
    if (require.extensions[extname(file)] === undefined) throw error;
    require(file);
  }
}

function registered({ module, name }: TaskCall): Registered | undefined {
  const registry = (globalThis as { [registryKey]?: Map<string, Map<string, Registered>> })[registryKey];
  return registry?.get(module)?.get(name);
}

async function load(call: TaskCall): Promise<Registered | (TaskAnswer & { thrown: Thrown })> {
  const { module, name } = call;
  try {
    await importedFor(module, () => imported(module));
  } catch (error) {
    return { kind: 'load', thrown: describeThrown(error) };
  }
  const task = registered(call);
  if (task !== undefined) return task;
  const error = new Error(
    `${module} defines no task '${name}' when it is imported: call defineTasks(import.meta.url, {...}) at its top level`,
  );
  return { kind: 'load', thrown: describeThrown(error) };
}
