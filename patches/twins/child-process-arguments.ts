// child-process-arguments.ts: the arguments of node:child_process, checked at the call and not when the Op starts.
//
// What is right goes on to Node as it is, as own properties without a prototype: what somebody put on Object.prototype never reaches a child. Node has the last
// word on what is not checked here (the entries of `stdio`, say); then it is the Op that throws.
//
// Source: node:child_process (normalizeSpawnArguments).

import type { ForkOptions, SpawnOptions } from 'node:child_process';
import os from 'node:os';
import { rangeError, typeError } from '../../core/bad-argument.ts';
import { own, ownFlag, shownValue } from '../../io/address.ts';

const INVALID_VALUE = 'ERR_INVALID_ARG_VALUE';

/** Any of the option objects of the module, checked. */
export interface GivenOptions extends SpawnOptions, Pick<ForkOptions, 'execPath' | 'execArgv' | 'silent'> {
  readonly encoding?: BufferEncoding | 'buffer' | null | undefined;
  readonly maxBuffer?: number | undefined;
  readonly input?: string | NodeJS.ArrayBufferView | undefined;
}

/** What is to be run, and how. */
export interface Program {
  readonly file: string;
  readonly args: readonly string[];
  readonly options: GivenOptions;
  /** The name of `killSignal`; SIGTERM by default. */
  readonly killSignal: NodeJS.Signals;
}

/** The arguments (file, args?, options?) of `where`. @throws TypeError or RangeError */
export function programArguments(given: readonly unknown[], where: string, isModule = false): Program {
  refuseCallback(given, where);
  const [file, second, third] = given;
  const path = isModule && file instanceof URL ? file.href : file;
  checkText(path, `${where}: the ${isModule ? 'module' : 'program'}`);
  if (path === '') throw typeError(`${where}: the program must not be empty`, INVALID_VALUE);
  const hasArgs = Array.isArray(second) || second === undefined || second === null;
  if (!hasArgs && typeof second !== 'object')
    throw typeError(`${where}: args must be an array of strings, not ${shownValue(second)}`);
  const args = hasArgs ? ((second ?? []) as readonly unknown[]) : [];
  args.forEach((arg, index) => {
    checkText(arg, `${where}: args[${index}]`);
  });
  return withOptions(path as string, args as readonly string[], hasArgs ? third : second, where);
}

/** The arguments (command, options?) of `where`: a line for a shell. @throws TypeError or RangeError */
export function commandArguments(given: readonly unknown[], where: string): Program {
  refuseCallback(given, where);
  const [command, options] = given;
  checkText(command, `${where}: the command`);
  if (command === '') throw typeError(`${where}: the command must not be empty`, INVALID_VALUE);
  return withOptions(command as string, [], options, where);
}

function refuseCallback(given: readonly unknown[], where: string): void {
  if (given.some((arg) => typeof arg === 'function'))
    throw typeError(`${where} takes no callback: it is an Op, so yield* it and go on`);
}

function withOptions(file: string, args: readonly string[], options: unknown, where: string): Program {
  if (options !== undefined && (typeof options !== 'object' || Array.isArray(options)))
    throw typeError(`${where}: options must be an object, not ${shownValue(options)}`);
  const copy = Object.assign(Object.create(null), options) as GivenOptions;
  const cwd = own<unknown>(copy, 'cwd');
  if (cwd !== undefined && cwd !== null && !(cwd instanceof URL)) checkText(cwd, `${where}: cwd`);
  const env = own<unknown>(copy, 'env');
  if (env !== undefined && env !== null && typeof env !== 'object')
    throw typeError(`${where}: env must be an object, not ${shownValue(env)}`);
  checkNumber(copy, 'timeout', where);
  checkNumber(copy, 'maxBuffer', where);
  ownFlag(copy, 'detached', false, where);
  const shell = own<unknown>(copy, 'shell');
  if (shell !== undefined && shell !== null && typeof shell !== 'boolean') checkText(shell, `${where}: shell`);
  const encoding = own<unknown>(copy, 'encoding');
  if (encoding !== undefined && encoding !== null && encoding !== 'buffer' && !Buffer.isEncoding(encoding as string))
    throw typeError(`${where}: unknown encoding: ${shownValue(encoding)}`, 'ERR_UNKNOWN_ENCODING');
  const input = own<unknown>(copy, 'input');
  if (input !== undefined && input !== null && typeof input !== 'string' && !ArrayBuffer.isView(input))
    throw typeError(`${where}: input must be a string or bytes, not ${shownValue(input)}`);
  return { file, args, options: copy, killSignal: signalName(own<unknown>(copy, 'killSignal'), where) };
}

function checkText(value: unknown, what: string): void {
  if (typeof value !== 'string') throw typeError(`${what} must be a string, not ${shownValue(value)}`);
  if (value.includes('\0')) throw typeError(`${what} must not hold NUL`, INVALID_VALUE);
}

function checkNumber(options: object, key: string, where: string): void {
  const value = own<unknown>(options, key);
  if (value === undefined || value === null) return;
  if (typeof value !== 'number') throw typeError(`${where}: ${key} must be a number, not ${shownValue(value)}`);
  if (!(value >= 0)) throw rangeError(`${where}: ${key} must be >= 0, not ${value}`);
}

/** The name of a signal that is given by name or number; SIGTERM if it is not given. @throws TypeError for one that does not exist. */
export function signalName(signal: unknown, where: string): NodeJS.Signals {
  if (signal === undefined || signal === null) return 'SIGTERM';
  for (const [name, number] of Object.entries(os.constants.signals)) {
    if (signal === number || (typeof signal === 'string' && signal.toUpperCase() === name))
      return name as NodeJS.Signals;
  }
  throw typeError(`${where}: there is no signal ${shownValue(signal)}`, 'ERR_UNKNOWN_SIGNAL');
}
