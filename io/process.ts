// process.ts: the names of the namespace `process`: start a program, or run one to its end.
//
//   const { stdout, exitCode } = yield* process.exec('git', ['status', '--short'], { timeoutMs: 5000 });
//
// A program and its arguments are given one by one and reach the system as they are: no shell takes them apart, so there is nothing to quote and nothing to
// inject. Who wants a shell asks for one: `exec('sh', ['-c', 'a | b'])`.

import { typeError } from '../core/bad-argument.ts';
import { composite } from '../core/composite.ts';
import { TimeoutError } from '../core/errors.ts';
import type { Op, Waitable } from '../core/op.ts';
import { timeout } from '../core/timeout.ts';
import { created } from '../core/unstarted.ts';
import { checkOptions, own, ownMs } from './address.ts';
import type { Process } from './process-child.ts';
import { ExecTimeoutError } from './process-errors.ts';
import { checkSpawn, type Settings, type SpawnOptions } from './process-options.ts';
import {
  Collected,
  type CommunicateOptions,
  type Conversation,
  checkConversation,
  converse,
  type Output,
} from './process-output.ts';
import { SpawnWait } from './process-spawn.ts';
import type { Writable } from './writable.ts';

/** What `exec` takes: the options of `spawn`, of `communicate`, and these. */
export interface ExecOptions extends Omit<SpawnOptions, 'whenKilled'>, CommunicateOptions {
  /** What the program reads from its stdin: nothing by default. */
  readonly input?: Writable | undefined;
  /** How long it may take before it is stopped: no limit by default. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Start a program.
 *
 * Switches only if it fails. If it throws, there is no child, and nothing is left open. Whoever spawns a child closes it: `child.close()` in a finally, or
 * `using`.
 *
 * @param file a name that is looked for on the PATH, or a path.
 * @throws TypeError or RangeError, at the call, for bad arguments, and for NUL in any of them. @throws SpawnError with Node's code: ENOENT, EACCES, ENOTDIR,
 * E2BIG, EAGAIN, EMFILE, ...; its `path` says whether the program or the working directory is to blame. @throws Killed if the greenlet is being killed.
 */
export function spawn(file: string, args: readonly string[] = [], options?: SpawnOptions): Waitable<Process> {
  return created(new SpawnWait(checkSpawn(file, args, options, 'spawn')));
}

/**
 * Run a program to its end: write `input`, collect what it prints, wait for its exit.
 *
 * Switches. However it ends, the program has exited and its pipes are closed: an error, a kill or the timeout stops it first (`killSignal`, and SIGKILL after
 * `graceMs`). An exit code other than 0 is an answer, unless `check` makes it an error. stdin is empty unless there is `input`.
 *
 * @throws TypeError or RangeError, at the call, for bad arguments. @throws SpawnError if it cannot be started. @throws ExecTimeoutError after `timeoutMs`.
 * @throws MaxBufferError if it prints more than `maxBuffer` bytes (16 MiB). @throws ExitError with `check`. @throws SignalError if it has to be stopped and
 * cannot be. @throws Killed if the greenlet is killed.
 * @see https://docs.python.org/3/library/subprocess.html#subprocess.run
 */
export function exec(
  file: string,
  args: readonly string[] | undefined,
  options: ExecOptions & { readonly encoding: 'buffer' },
): Op<Output<Buffer>>;
export function exec(
  file: string,
  args?: readonly string[],
  options?: ExecOptions & { readonly encoding?: 'utf8' | 'latin1' | undefined },
): Op<Output<string>>;
export function exec(file: string, args?: readonly string[], options?: ExecOptions): Op<Output<string | Buffer>>;
export function exec(file: string, args: readonly string[] = [], options?: ExecOptions): Op<Output<string | Buffer>> {
  const given = checkOptions(options, 'exec');
  const conversation = checkConversation(own<unknown>(given, 'input'), given, 'exec');
  const stdin = conversation.input === undefined ? 'ignore' : 'pipe';
  const settings = checkSpawn(file, args, given, 'exec', [stdin, 'pipe', 'pipe']);
  if (conversation.input !== undefined && settings.stdio[0] !== 'pipe') {
    throw typeError("exec: input needs stdio 'pipe' at its first place", 'ERR_INVALID_ARG_VALUE');
  }
  const timeoutMs = ownMs(given, 'timeoutMs', Number.POSITIVE_INFINITY, 'exec');
  return composite(execute, settings, conversation, timeoutMs);
}

function* execute(settings: Settings, conversation: Conversation, timeoutMs: number): Op<Output<string | Buffer>> {
  const child = yield* new SpawnWait(settings);
  const printed = new Collected(child, conversation);
  const conversing = timeout(timeoutMs, converse(child, conversation, printed));
  try {
    return yield* conversing;
  } catch (error) {
    if (!(error instanceof TimeoutError) || error.timeout !== conversing) throw error;
    throw new ExecTimeoutError(error, child.toString(), printed.read());
  } finally {
    child.close();
  }
}

export { type KillOptions, Process, type StopOptions } from './process-child.ts';
export { ExecTimeoutError, ExitError, MaxBufferError, SignalError, SpawnError } from './process-errors.ts';
export type { SpawnOptions, StdioTarget } from './process-options.ts';
export type { CommunicateOptions, Output, OutputEncoding } from './process-output.ts';
export type { ExitStatus } from './process-wait.ts';
