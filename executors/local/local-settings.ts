// local-settings.ts: the options that executors over workers of this machine have in common, and their check.
//
// Everything is refused where the executor is made: a bad option would otherwise show as a worker that does not start, much later and somewhere else.

import { rangeError, typeError } from '../../core/bad-argument.ts';
import { checkOptions, own, ownCount, ownMs, shownValue } from '../../io/address.ts';
import type { ExecutorOptions } from '../executor-options.ts';

export interface LocalExecutorOptions extends ExecutorOptions {
  /** How large the arguments of a task may be, and its result, in bytes, roughly as they are in memory. 268,435,456 (256 MiB) by default. */
  readonly maxBytes?: number | undefined;
  /** How long a worker may take to start, and then the module of a task to be imported. 30,000 by default. */
  readonly startTimeoutMs?: number | undefined;
  /** Options of Node for the workers, like `['--import', './loader.mjs']`. Those of this process by default. */
  readonly execArgv?: readonly string[] | undefined;
  /** The environment of the workers, in place of a copy of this process's. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

export interface LocalSettings {
  readonly size: number;
  readonly maxBytes: number;
  readonly startTimeoutMs: number;
  readonly execArgv: string[] | undefined;
  readonly env: NodeJS.ProcessEnv | undefined;
}

/** @throws RangeError for a size or a number of bytes that is no positive integer. @throws TypeError for other bad options. */
export function localSettings(size: unknown, options: unknown, kind: string): LocalSettings {
  if (!(Number.isInteger(size) && (size as number) >= 1))
    throw rangeError(`${kind}: the size is a positive integer, not ${shownValue(size)}`);
  const given = checkOptions(options, kind);
  const execArgv = own<unknown>(given, 'execArgv');
  if (execArgv !== undefined && !(Array.isArray(execArgv) && execArgv.every((item) => typeof item === 'string')))
    throw typeError(`${kind}: execArgv must be an array of strings, not ${shownValue(execArgv)}`);
  const env = own<unknown>(given, 'env');
  if (env !== undefined && (typeof env !== 'object' || env === null))
    throw typeError(`${kind}: env must be an object, not ${shownValue(env)}`);
  return {
    size: size as number,
    maxBytes: ownCount(given, 'maxBytes', 2 ** 28, 1, kind),
    startTimeoutMs: ownMs(given, 'startTimeoutMs', 30_000, kind),
    execArgv: execArgv === undefined ? undefined : [...(execArgv as string[])],
    env: env === undefined ? undefined : { ...(env as NodeJS.ProcessEnv) },
  };
}
