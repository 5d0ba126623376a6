// child-process.ts: the public names of `tendril/patches/child_process`: those of node:child_process, each call that waits being an Op.
//
// exec and execFile give {stdout, stderr}, as Node's promisified forms do; their types are those, and the types of the *Sync functions are Node's own, with an Op
// where Node has the value. `spawn` and `fork` return at once, as in Node; what is waited for is in the child that they give (child-process-spawned.ts).
//
// All options are Node's and go to Node.

import type childProcess from 'node:child_process';
import type { SpawnOptions, SpawnOptionsWithoutStdio } from 'node:child_process';
import { composite } from '../../core/composite.ts';
import type { Op } from '../../core/op.ts';
import { commandArguments, programArguments } from './child-process-arguments.ts';
import { inShell, runAndCollect, runOrThrow, runToCallback } from './child-process-run.ts';
import {
  type ChildProcess,
  type ChildProcessWithoutNullStreams,
  forkProgram,
  spawnProgram,
} from './child-process-spawned.ts';

/** A function of four overloads, with an Op of what each returns or promises. */
type Four<F> = F extends {
  (...args: infer A): infer R;
  (...args: infer B): infer S;
  (...args: infer C): infer T;
  (...args: infer D): infer U;
}
  ? {
      (...args: A): Op<Awaited<R>>;
      (...args: B): Op<Awaited<S>>;
      (...args: C): Op<Awaited<T>>;
      (...args: D): Op<Awaited<U>>;
    }
  : never;

/** A function of eight overloads, likewise. */
type Eight<F> = F extends {
  (...args: infer A): infer R;
  (...args: infer B): infer S;
  (...args: infer C): infer T;
  (...args: infer D): infer U;
  (...args: infer E): infer V;
  (...args: infer G): infer W;
  (...args: infer H): infer X;
  (...args: infer I): infer Y;
}
  ? {
      (...args: A): Op<Awaited<R>>;
      (...args: B): Op<Awaited<S>>;
      (...args: C): Op<Awaited<T>>;
      (...args: D): Op<Awaited<U>>;
      (...args: E): Op<Awaited<V>>;
      (...args: G): Op<Awaited<W>>;
      (...args: H): Op<Awaited<X>>;
      (...args: I): Op<Awaited<Y>>;
    }
  : never;

type Exec = Four<typeof childProcess.exec.__promisify__>;
type ExecFile = Eight<typeof childProcess.execFile.__promisify__>;
type ExecSync = Four<typeof childProcess.execSync>;
type ExecFileSync = Eight<typeof childProcess.execFileSync>;
type SpawnSync = Eight<typeof childProcess.spawnSync>;
type Arguments = readonly unknown[];

/**
 * Run a command line in a shell to its end: Op of {stdout, stderr}.
 *
 * Switches. However it ends, the shell has exited; a kill or a timeout of the greenlet stops it first. Its stdin is empty. Never build the line from what
 * somebody else gives you: use execFile.
 *
 * Its Op @throws Node's error (`code`, `signal`, `killed`, `cmd`, `stdout`, `stderr`) if it does not end with 0, takes longer than `timeout` or prints more than
 * `maxBuffer`; Killed. This call @throws TypeError or RangeError for bad arguments, and for a callback.
 * @see https://nodejs.org/api/child_process.html#child_processexeccommand-options-callback
 */
export const exec: Exec = ((...args: Arguments) => {
  const program = commandArguments(args, 'exec');
  return composite(runToCallback, program, true);
}) as unknown as Exec;

/** Run a program to its end: Op of {stdout, stderr}. As exec, without a shell. @see https://nodejs.org/api/child_process.html#child_processexecfilefile-args-options-callback */
export const execFile: ExecFile = ((...args: Arguments) => {
  const program = programArguments(args, 'execFile');
  return composite(runToCallback, program, false);
}) as unknown as ExecFile;

/**
 * Run a program to its end and say how that was: {pid, output, stdout, stderr, status, signal, error}. Others run meanwhile.
 *
 * Switches. However it ends, the program has exited; a kill or a timeout of the greenlet stops it first. An error of the program or of its start is in the
 * result. Its Op @throws Killed. This call @throws TypeError or RangeError for bad arguments.
 * @see https://nodejs.org/api/child_process.html#child_processspawnsynccommand-args-options
 */
export const spawnSync: SpawnSync = ((...args: Arguments) =>
  composite(runAndCollect, programArguments(args, 'spawnSync'))) as unknown as SpawnSync;

/**
 * Run a program to its end: Op of its stdout. Others run meanwhile. Its stderr goes to ours when it has ended, unless `stdio` says otherwise.
 *
 * Switches. Its Op @throws Node's error (`status`, `signal`, `stdout`, `stderr`, `code`) if it does not end with 0 or cannot be run; Killed. Else as spawnSync.
 * @see https://nodejs.org/api/child_process.html#child_processexecfilesyncfile-args-options
 */
export const execFileSync: ExecFileSync = ((...args: Arguments) => {
  const program = programArguments(args, 'execFileSync');
  return composite(runOrThrow, program, [program.file, ...program.args].join(' '));
}) as unknown as ExecFileSync;

/** Run a command line in a shell to its end: Op of its stdout. As execFileSync. @see https://nodejs.org/api/child_process.html#child_processexecsynccommand-options */
export const execSync: ExecSync = ((...args: Arguments) => {
  const program = inShell(commandArguments(args, 'execSync'));
  return composite(runOrThrow, program, program.file);
}) as unknown as ExecSync;

/**
 * Start a program. Never switches: wait for it by `child.wait()`, read `child.stdout`, write to `child.stdin`.
 *
 * Whoever spawns a child sees to its end: wait for it, or `using`.
 *
 * @throws TypeError or RangeError for bad arguments. @throws Error (EMFILE) if no descriptor is left for its pipes. That it cannot be started is thrown by whatever waits for it; if nothing does, it goes to the hub's
 * `error` event. @see https://nodejs.org/api/child_process.html#child_processspawncommand-args-options
 */
export function spawn(command: string, options?: SpawnOptionsWithoutStdio): ChildProcessWithoutNullStreams;
export function spawn(
  command: string,
  args?: readonly string[],
  options?: SpawnOptionsWithoutStdio,
): ChildProcessWithoutNullStreams;
export function spawn(command: string, options: SpawnOptions): ChildProcess;
export function spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess;
export function spawn(...args: Arguments): ChildProcess {
  return spawnProgram(args);
}

/** Start a module in a Node of its own, with a channel for messages: `child.send`, `child.once('message')`. Never switches. As spawn. */
export function fork(modulePath: string | URL, options?: childProcess.ForkOptions): ChildProcess;
export function fork(
  modulePath: string | URL,
  args?: readonly string[],
  options?: childProcess.ForkOptions,
): ChildProcess;
export function fork(...args: Arguments): ChildProcess {
  return forkProgram(args);
}

export type {
  CommonOptions,
  CommonSpawnOptions,
  ExecException,
  ExecFileException,
  ExecFileOptions,
  ExecFileSyncOptions,
  ExecOptions,
  ExecSyncOptions,
  ForkOptions,
  SendHandle,
  Serializable,
  SpawnOptions,
  SpawnOptionsWithoutStdio,
  SpawnSyncOptions,
  SpawnSyncReturns,
  StdioOptions,
} from 'node:child_process';
export { ChildProcess, type ChildProcessWithoutNullStreams, type Exit } from './child-process-spawned.ts';
export type { Message } from './child-process-waits.ts';
