// process-options.ts: what a caller may ask of a child process, checked at the call, before anything is started.
//
// Options and the environment are read as own properties only: what somebody put on Object.prototype never reaches a child. NUL is refused in every
// string, because the operating system would cut it there in silence.

import os from 'node:os';
import { rangeError, typeError } from '../core/bad-argument.ts';
import { checkOptions, own, ownCount, ownFlag, ownMs, shownValue } from './address.ts';
import { DEFAULT_HIGH_WATER_MARK } from './socket.ts';

const INVALID_VALUE = 'ERR_INVALID_ARG_VALUE';
const GRACE_MS = 5_000;

/** Where a standard stream of the child leads: a pipe to us, our own stream, nowhere, or a file descriptor of ours. */
export type StdioTarget = 'pipe' | 'inherit' | 'ignore' | number;

export interface SpawnOptions {
  /** The working directory; ours by default. */
  readonly cwd?: string | undefined;
  /** The whole environment; ours by default. A variable that is undefined is left out. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Where stdin, stdout and stderr lead, all alike or each for itself: 'pipe' by default. */
  readonly stdio?: StdioTarget | readonly [StdioTarget, StdioTarget, StdioTarget] | undefined;
  /** True: the child leads a session and a process group of its own, so that signals can reach all that it starts. */
  readonly detached?: boolean | undefined;
  /** The user and the group that the child runs as, by number: ours by default. Needs the right to change them. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** The signal that asks the child to end: SIGTERM by default. */
  readonly killSignal?: NodeJS.Signals | undefined;
  /** How long it has to end after that before SIGKILL: 5,000 ms by default. */
  readonly graceMs?: number | undefined;
  /** What becomes of the child when a greenlet is killed while it waits for it: 'stop' it (the default), or 'leave' it alone. */
  readonly whenKilled?: 'stop' | 'leave' | undefined;
  /** How much is buffered in each pipe: 64 KiB by default. */
  readonly highWaterMark?: number | undefined;
}

/** Checked SpawnOptions, with what is to be started. */
export interface Settings {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  readonly env: Record<string, string> | undefined;
  readonly stdio: readonly [StdioTarget, StdioTarget, StdioTarget];
  readonly detached: boolean;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly killSignal: NodeJS.Signals;
  readonly graceMs: number;
  readonly stopsWhenKilled: boolean;
  readonly highWaterMark: number;
}

/** Check what is to be started, and how. `usual` is where the standard streams lead if the caller does not say. */
export function checkSpawn(
  file: unknown,
  args: unknown,
  options: unknown,
  where: string,
  usual: readonly [StdioTarget, StdioTarget, StdioTarget] = ['pipe', 'pipe', 'pipe'],
): Settings {
  checkText(file, `${where}: the program`);
  if (file === '') throw typeError(`${where}: the program must not be empty`, INVALID_VALUE);
  if (!Array.isArray(args)) throw typeError(`${where}: args must be an array of strings, not ${shownValue(args)}`);
  const checkedArgs = args.map((arg: unknown, index) => checkText(arg, `${where}: args[${index}]`));
  const given = checkOptions(options, where);
  const cwd = own<unknown>(given, 'cwd');
  if (cwd === '') throw typeError(`${where}: cwd must not be empty`, INVALID_VALUE);
  const whenKilled = own<unknown>(given, 'whenKilled') ?? 'stop';
  if (whenKilled !== 'stop' && whenKilled !== 'leave') {
    throw typeError(`${where}: whenKilled must be 'stop' or 'leave', not ${shownValue(whenKilled)}`, INVALID_VALUE);
  }
  return {
    file: file as string,
    args: checkedArgs,
    cwd: cwd === undefined ? undefined : checkText(cwd, `${where}: cwd`),
    env: checkEnv(own<unknown>(given, 'env'), where),
    stdio: checkStdio(own<unknown>(given, 'stdio') ?? usual, where),
    detached: ownFlag(given, 'detached', false, where),
    uid: checkId(own<unknown>(given, 'uid'), `${where}: uid`),
    gid: checkId(own<unknown>(given, 'gid'), `${where}: gid`),
    killSignal: checkSignal(own<unknown>(given, 'killSignal') ?? 'SIGTERM', `${where}: killSignal`),
    graceMs: ownMs(given, 'graceMs', GRACE_MS, where),
    stopsWhenKilled: whenKilled === 'stop',
    highWaterMark: ownCount(given, 'highWaterMark', DEFAULT_HIGH_WATER_MARK, 1, where),
  };
}

/** Check that `signal` is the name of a signal that this system has. @throws TypeError */
export function checkSignal(signal: unknown, what: string): NodeJS.Signals {
  if (typeof signal !== 'string' || !Object.hasOwn(os.constants.signals, signal)) {
    throw typeError(
      `${what} must be the name of a signal, such as 'SIGTERM', not ${shownValue(signal)}`,
      'ERR_UNKNOWN_SIGNAL',
    );
  }
  return signal as NodeJS.Signals;
}

function checkText(value: unknown, what: string): string {
  if (typeof value !== 'string') throw typeError(`${what} must be a string, not ${shownValue(value)}`);
  if (value.includes('\0')) throw typeError(`${what} must not hold NUL`, INVALID_VALUE);
  return value;
}

function checkId(value: unknown, what: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number') throw typeError(`${what} must be a number, not ${shownValue(value)}`);
  if (!Number.isInteger(value) || value < 0 || value > 2 ** 31 - 1)
    throw rangeError(`${what} must be a whole number from 0 to ${2 ** 31 - 1}, not ${value}`);
  return value;
}

function checkEnv(env: unknown, where: string): Record<string, string> | undefined {
  if (env === undefined) return undefined;
  if (typeof env !== 'object' || env === null)
    throw typeError(`${where}: env must be an object, not ${shownValue(env)}`);
  const checked: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    if (name === '' || /[=\0]/.test(name)) {
      throw typeError(`${where}: ${shownValue(name)} cannot be the name of a variable in env`, INVALID_VALUE);
    }
    checked[name] = checkText(value, `${where}: env.${name.slice(0, 40)}`);
  }
  return checked;
}

function checkStdio(stdio: unknown, where: string): Settings['stdio'] {
  if (!Array.isArray(stdio)) {
    const target = checkTarget(stdio, `${where}: stdio`);
    return [target, target, target];
  }
  if (stdio.length !== 3) throw rangeError(`${where}: stdio takes three entries, not ${stdio.length}`);
  const [stdin, stdout, stderr] = stdio.map((target, index) => checkTarget(target, `${where}: stdio[${index}]`));
  return [stdin, stdout, stderr] as [StdioTarget, StdioTarget, StdioTarget];
}

function checkTarget(target: unknown, what: string): StdioTarget {
  const isDescriptor = Number.isInteger(target) && (target as number) >= 0;
  if (target === 'pipe' || target === 'inherit' || target === 'ignore' || isDescriptor) return target as StdioTarget;
  throw typeError(
    `${what} must be 'pipe', 'inherit', 'ignore' or a file descriptor, not ${shownValue(target)}`,
    INVALID_VALUE,
  );
}
