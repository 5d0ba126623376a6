// child-process-run.ts: programs that are run to their end: exec and execFile, and spawnSync, execFileSync and execSync, which wait without blocking the loop.
//
// exec and execFile are Node's own, with its encodings, limits and errors. The three *Sync ones are put together here from spawn(): Node's would stop every
// greenlet. They return what Node's return, and throw what Node's throw.
//
// However one of them ends, the child has exited: if the greenlet is killed or a timeout around it expires, the child is sent its `killSignal`, after 5,000 ms
// SIGKILL, and that is waited for. What a shell has started itself goes on, as in Node. Nobody can write to the child's stdin, so without `input` it has ended.
// Source: node:child_process.

import childProcess, { type ChildProcess as NodeChild, type SpawnSyncReturns } from 'node:child_process';
import os from 'node:os';
import type { Writable } from 'node:stream';
import { rangeError } from '../../core/bad-argument.ts';
import { TimeoutError } from '../../core/errors.ts';
import { Event } from '../../core/event.ts';
import { ExternalWait, type Ticket } from '../../core/external.ts';
import type { Op, WaitDescription } from '../../core/op.ts';
import { shield } from '../../core/shield.ts';
import { timeout } from '../../core/timeout.ts';
import { codeOf } from '../../io/errors.ts';
import { Ending } from '../../io/process-ending.ts';
import { requireDescriptors } from '../../io/process-spawn.ts';
import type { Program } from './child-process-arguments.ts';
import { atCaller } from './net-caller.ts';

// Taken at load: patches never reach us.
const { exec: nodeExec, execFile: nodeExecFile, spawn } = childProcess;

const GRACE_MS = 5_000;
/** Node's own limit of each output. */
const MAX_BUFFER = 1024 * 1024;
const PIPES = ['pipe', 'pipe', 'pipe'];
const ignore = (): void => {};

export type Output = string | Buffer;

/** Bring `child` to its end and wait until `over`. What its pipes still hold is of no interest to anybody. */
function* finish(child: NodeChild, program: Program, over: Event): Op<void> {
  child.stdout?.destroy();
  child.stderr?.destroy();
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    const ending = new Ending(child, child.pid, program.file, program.options.detached === true);
    child.on('exit', () => ending.exited());
    try {
      ending.begin(program.killSignal, GRACE_MS);
    } catch {
      return; // The system refuses: it goes on, and nobody is left to be told.
    }
  }
  yield* over.wait();
}

/** Nobody writes to it. That it does not read what is there is no error. */
function feed(stdin: Writable | null, input: string | NodeJS.ArrayBufferView | null | undefined): void {
  stdin?.on('error', ignore);
  if (input === undefined || input === null) stdin?.end();
  else stdin?.end(typeof input === 'string' ? input : new Uint8Array(input.buffer, input.byteOffset, input.byteLength));
}

/** A child of Node's that tells by a callback how it ended. */
class CallbackRun extends ExternalWait<{ stdout: Output; stderr: Output }> {
  readonly over: Event = new Event({ name: 'end of a child' });
  child: NodeChild | undefined = undefined;
  readonly #program: Program;
  readonly #shell: boolean;

  constructor(program: Program, shell: boolean) {
    super();
    this.#program = program;
    this.#shell = shell;
  }

  protected begin(ticket: Ticket<{ stdout: Output; stderr: Output }>): void {
    ticket.onRetract = () => ticket.withdraw();
    const { file, args, options } = this.#program;
    const done = (error: Error | null, stdout: Output, stderr: Output): void => {
      this.over.set();
      if (error === null) ticket.resolve({ stdout, stderr });
      else ticket.rejectWith(() => atCaller(Object.assign(error, { stdout, stderr })));
    };
    requireDescriptors({ stdio: PIPES });
    this.child = this.#shell
      ? nodeExec(file, options as never, done as never)
      : nodeExecFile(file, args, options as never, done as never);
    feed(this.child.stdin, undefined);
  }

  describe(): WaitDescription {
    return { op: this.#shell ? 'exec' : 'execFile', object: this.#program.file };
  }
}

/** Run a program by Node's own exec (with a `shell`) or execFile. */
export function* runToCallback(program: Program, shell: boolean): Op<{ stdout: Output; stderr: Output }> {
  const run = new CallbackRun(program, shell);
  try {
    return yield* run;
  } finally {
    if (run.child !== undefined && !run.over.isSet)
      yield* shield(Number.POSITIVE_INFINITY, finish(run.child, program, run.over));
  }
}

/** A child whose outputs are collected. */
class CollectingRun {
  readonly over: Event = new Event({ name: 'end of a child' });
  readonly child: NodeChild;
  readonly #program: Program;
  readonly #outputs: (Buffer[] | null)[];
  #error: Error | undefined = undefined;

  constructor(program: Program) {
    this.#program = program;
    const { options } = program;
    const { input, stdio = 'pipe', maxBuffer } = options;
    const entries = Array.isArray(stdio) ? [...stdio] : [stdio, stdio, stdio];
    this.child = spawn(
      program.file,
      [...program.args],
      Object.assign(Object.create(null), options, {
        stdio: entries,
        timeout: undefined,
      }) as object,
    );
    feed(this.child.stdin, input);
    this.#outputs = (this.child.stdio ?? []).map((stream, index) => {
      if (index === 0 || stream === null || stream === undefined) return null;
      const chunks: Buffer[] = [];
      let room = maxBuffer ?? MAX_BUFFER;
      stream.on('error', ignore);
      stream.on('data', (chunk: Buffer) => {
        // As in Node: what has come is given whole, also beyond the limit.
        chunks.push(chunk);
        room -= chunk.length;
        if (room < 0) this.stop('ENOBUFS');
      });
      return chunks;
    });
    this.child.on('error', (error) => {
      if (this.child.pid !== undefined) return;
      this.#error = failureOf(program, codeOf(error) ?? 'ERR_SPAWN');
      this.over.set();
    });
    this.child.on('close', () => this.over.set());
  }

  /** It has taken too long, or printed too much: send its signal, and be `code` the error. */
  stop(code: 'ETIMEDOUT' | 'ENOBUFS'): void {
    if (this.#error !== undefined) return;
    this.#error = failureOf(this.#program, code);
    this.child.kill(this.#program.killSignal);
    // What it has started itself may hold these open for long.
    this.child.stdout?.destroy();
    this.child.stderr?.destroy();
  }

  result(): SpawnSyncReturns<Output> {
    const { pid, exitCode, signalCode } = this.child;
    const { encoding } = this.#program.options;
    if (pid === undefined) return notStarted(this.#error as Error);
    const output = this.#outputs.map((chunks) => {
      if (chunks === null) return null;
      const bytes = Buffer.concat(chunks);
      return encoding === undefined || encoding === null || encoding === 'buffer' ? bytes : bytes.toString(encoding);
    });
    const result = {
      status: signalCode === null ? exitCode : null,
      signal: signalCode,
      output,
      pid,
      stdout: (output[1] ?? null) as Output,
      stderr: (output[2] ?? null) as Output,
    };
    return this.#error === undefined ? result : { error: this.#error, ...result };
  }
}

function notStarted(error: Error): SpawnSyncReturns<Output> {
  const nothing = null as unknown as Output & [];
  return { error, status: null, signal: null, output: nothing, pid: 0, stdout: nothing, stderr: nothing };
}

class StartRun extends ExternalWait<CollectingRun> {
  readonly #program: Program;
  constructor(program: Program) {
    super();
    this.#program = program;
  }
  protected begin(ticket: Ticket<CollectingRun>): void {
    ticket.resolve(new CollectingRun(this.#program));
  }
  describe(): WaitDescription {
    return { op: 'spawnSync', object: this.#program.file };
  }
}

/** Run a program to its end and say how that was; never throws for what the program does. */
export function* runAndCollect(program: Program): Op<SpawnSyncReturns<Output>> {
  let run: CollectingRun;
  try {
    run = yield* new StartRun(program);
  } catch (error) {
    if ((error as { errno?: unknown }).errno === undefined) throw error;
    return notStarted(failureOf(program, codeOf(error) ?? 'ERR_SPAWN'));
  }
  const ended = timeout(program.options.timeout || Number.POSITIVE_INFINITY, run.over.wait());
  try {
    try {
      yield* ended;
    } catch (error) {
      if (!(error instanceof TimeoutError) || error.timeout !== ended) throw error;
      run.stop('ETIMEDOUT');
      yield* run.over.wait();
    }
  } finally {
    if (!run.over.isSet) yield* shield(Number.POSITIVE_INFINITY, finish(run.child, program, run.over));
  }
  return run.result();
}

/** As runAndCollect, but an end that is no success is an error: what execFileSync and execSync do. `command` is what the message shows. */
export function* runOrThrow(program: Program, command: string): Op<Output> {
  const { stdio } = program.options;
  const result = yield* runAndCollect(program);
  // As in Node: what it has complained of is seen, unless the caller has said where that goes.
  if (!stdio && result.stderr !== null && result.stderr.length > 0) process.stderr.write(result.stderr);
  if (result.error !== undefined) throw Object.assign(result.error, result);
  if (result.status !== 0) {
    const said = result.stderr?.length > 0 ? `\n${result.stderr.toString()}` : '';
    throw Object.assign(new Error(`Command failed: ${command}${said}`), result);
  }
  return result.stdout;
}

/** Node's error of a program that could not be run to its end. */
function failureOf({ file, args }: Program, code: string): Error {
  const syscall = `spawnSync ${file}`;
  const number = (os.constants.errno as Readonly<Record<string, number>>)[code];
  const errno = number === undefined ? undefined : -number;
  return Object.assign(new Error(`${syscall} ${code}`), { errno, code, syscall, path: file, spawnargs: [...args] });
}

/** The shell that runs `program.file` as a command, unless it says which. @throws RangeError for stdio that Node has no synchronous form of. */
export function inShell(program: Program): Program {
  const { options } = program;
  if (Array.isArray(options.stdio) && options.stdio.includes('ipc'))
    throw rangeError("execSync: there is no channel here: use fork(), or spawn() with 'ipc'", 'ERR_IPC_SYNC_FORK');
  const shell = typeof options.shell === 'string' && options.shell !== '' ? options.shell : true;
  return { ...program, options: Object.assign(Object.create(null), options, { shell }) as Program['options'] };
}
