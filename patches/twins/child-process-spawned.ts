// child-process-spawned.ts: the ChildProcess of `tendril/patches/child_process`: node:child_process's, whose events and streams are waited for.
//
// Node's own spawn() or fork() starts it, so all options mean what they mean there; our Process (io/process-child.ts) looks after it: its streams are Sockets, and
// a greenlet that is killed while it waits for the end takes the child with it. Node's 'exit' is `wait()` or `once('exit')`, 'message' is `once('message')`,
// which gives messages in their order and loses none. A child that could not be started is told of by whatever waits for it; if nothing does, it is an error that
// nobody handles, as in Node.
//
// Invariant: exactly one of #process and #failure is set.
// Source: node:child_process.

/// <reference lib="esnext.disposable" preserve="true" />

import childProcess, { type ChildProcess as NodeChild, type SendHandle, type Serializable } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { AsyncResult } from '../../core/async-result.ts';
import { typeError } from '../../core/bad-argument.ts';
import { Greenlet } from '../../core/greenlet.ts';
import { MappedWait } from '../../core/mapped.ts';
import type { Op, Waitable } from '../../core/op.ts';
import { created, createdAround } from '../../core/unstarted.ts';
import type { Wait } from '../../core/wait.ts';
import { checkOptions } from '../../io/address.ts';
import { fromDuplex } from '../../io/node-streams.ts';
import { Process } from '../../io/process-child.ts';
import { requireDescriptors } from '../../io/process-spawn.ts';
import type { ExitStatus } from '../../io/process-wait.ts';
import { type Program, programArguments, signalName } from './child-process-arguments.ts';
import { FailureWait, type Message, Messages, MessageWait, SendWait } from './child-process-waits.ts';
import { Happening } from './net-happening.ts';
import { Socket } from './net-socket.ts';

// Taken at load: patches never reach us.
const { spawn: spawnChild, fork: forkChild } = childProcess;

const GRACE_MS = 5_000;
const ignore = (): void => {};

/** How a child ended, as Node's 'exit' tells it: with a code or by a signal; the other one is null. */
export type Exit = [code: number | null, signal: NodeJS.Signals | null];

/** A child process. `spawn` and `fork` make them. */
export class ChildProcess {
  readonly spawnfile: string;
  readonly spawnargs: readonly string[];
  readonly #node: NodeChild;
  readonly #process: Process | undefined = undefined;
  /** Ends with the error of a child that could not be started. */
  readonly #failure: Greenlet<never> | undefined = undefined;
  readonly #messages: Messages;
  readonly #spawned: Happening<void>;
  readonly #closed: Happening<Exit>;
  readonly #streams: (Socket | null)[];

  /** @internal: spawn and fork make them. */
  constructor(node: NodeChild, program: Program) {
    this.#node = node;
    this.spawnfile = node.spawnfile;
    this.spawnargs = node.spawnargs;
    this.#messages = new Messages(node, `messages of ${program.file}`);
    node.channel?.unref();
    this.#spawned = new Happening('spawn', program.file);
    this.#spawned.set();
    this.#closed = new Happening('close', program.file, () => this.#process?.abandon());
    node.on('close', (code, signal) => this.#closed.set([code, signal]));
    if (node.pid === undefined) {
      this.#failure = failureOf(node, program.file);
      this.#streams = [null, null, null];
      return;
    }
    this.#process = new Process(node, node.pid, {
      file: program.file,
      args: program.args,
      cwd: undefined,
      env: undefined,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: program.options.detached === true,
      uid: undefined,
      gid: undefined,
      killSignal: program.killSignal,
      graceMs: GRACE_MS,
      stopsWhenKilled: true,
      highWaterMark: 65_536,
    });
    const { stdin, stdout, stderr } = this.#process.pipes;
    this.#streams = [stdin, stdout, stderr].map((socket) => (socket === undefined ? null : Socket.of(socket)));
    // More pipes than the three, if there are: of both directions.
    for (const stream of node.stdio.slice(3))
      this.#streams.push(stream === null || stream === undefined ? null : Socket.of(fromDuplex(stream as Duplex)));
  }

  /** Its number; undefined if it could not be started. */
  get pid(): number | undefined {
    return this.#node.pid;
  }
  /** To write to; null if it is no pipe. */
  get stdin(): Socket | null {
    return this.#streams[0] as Socket | null;
  }
  /** To read from; null if it is no pipe. */
  get stdout(): Socket | null {
    return this.#streams[1] as Socket | null;
  }
  get stderr(): Socket | null {
    return this.#streams[2] as Socket | null;
  }
  /** All of its pipes; null where there is none. */
  get stdio(): readonly (Socket | null)[] {
    return this.#streams;
  }
  /** Null while it runs, and if a signal ended it. */
  get exitCode(): number | null {
    return this.#process === undefined ? this.#node.exitCode : (this.#process.status?.exitCode ?? null);
  }
  /** Null while it runs, and if it ended by itself. */
  get signalCode(): NodeJS.Signals | null {
    return this.#process?.status?.signal ?? null;
  }
  /** Was a signal sent to it by kill()? */
  get killed(): boolean {
    return this.#node.killed;
  }
  /** Can messages be sent? */
  get connected(): boolean {
    return this.#node.connected;
  }

  /**
   * Wait until it has exited; returns how. What it printed may still be unread.
   *
   * Switches unless it has exited. A timeout or a select that gives the wait up leaves the child alone; if the greenlet is killed the child is stopped
   * (`killSignal`, and SIGKILL after 5,000 ms), a detached one with its group.
   *
   * @throws Node's error (ENOENT, EACCES, ...) if it could not be started. @throws Killed.
   */
  wait(): Waitable<ExitStatus> {
    if (this.#failure !== undefined) return created(new FailureWait(this.#failure));
    return (this.#process as Process).wait();
  }

  /**
   * Wait for what Node tells by an event: 'spawn'; 'exit' and 'close', also when they have been already; the next 'message'; 'disconnect'.
   *
   * Switches unless it has happened. 'close' comes when its streams have ended too, so somebody has to read them. Returns what a listener would be given.
   *
   * @throws Node's error if it could not be started. @throws ClosedError for 'message' if the child has disconnected. @throws Killed, as wait.
   */
  once(event: 'exit' | 'close'): Waitable<Exit>;
  once(event: 'message'): Waitable<Message>;
  once(event: 'spawn' | 'disconnect'): Waitable<[]>;
  once(event: string): Waitable<Exit> | Waitable<Message> | Waitable<[]> {
    if (event === 'message') return created(new MessageWait(this.#messages));
    if (event === 'disconnect') return mapped(this.#messages.ended.wait(), () => []);
    if (event !== 'spawn' && event !== 'close' && event !== 'exit')
      throw typeError(`once: no such event: ${event}; there are spawn, exit, close, message, disconnect`);
    if (this.#failure !== undefined) return created(new FailureWait(this.#failure));
    if (event === 'spawn') return mapped(this.#spawned.wait(), () => []);
    if (event === 'close') return created(this.#closed.wait());
    return mapped(this.wait(), ({ exitCode, signal }) => [exitCode, signal] as Exit);
  }

  /** Send a signal; SIGTERM by default. False if it has gone. Never switches. @throws TypeError for a signal that does not exist. */
  kill(signal?: NodeJS.Signals | number): boolean {
    return this.#node.kill(signal === 0 ? 0 : signalName(signal, 'kill'));
  }

  /**
   * Send a message over the channel, of a child of fork() or one with 'ipc' in its stdio. Switches until it is sent.
   *
   * @throws Node's error (ERR_IPC_CHANNEL_CLOSED, ...) if it cannot be. @throws Killed: it may have been sent.
   */
  send(message: Serializable, handle?: SendHandle, options?: { readonly keepOpen?: boolean | undefined }): Op<void> {
    const given = checkOptions(options, 'send') as { keepOpen?: boolean };
    return created(new SendWait((done) => this.#node.send(message, handle, given, done), String(this)));
  }

  /** Close the channel. Never switches. */
  disconnect(): void {
    if (this.connected) this.#node.disconnect();
  }

  /** `using`: close its pipes, and kill it if it has not exited. Never switches, never throws; idempotent. */
  [Symbol.dispose](): void {
    this.#process?.close();
  }

  /** `process 4242 (ls)`. */
  toString(): string {
    return this.#process?.toString() ?? `process (${this.spawnfile}), not started`;
  }
}

/** A child with pipes for all three streams. */
export interface ChildProcessWithoutNullStreams extends ChildProcess {
  readonly stdin: Socket;
  readonly stdout: Socket;
  readonly stderr: Socket;
}

function mapped<T, U>(wait: Waitable<T>, value: (outcome: T) => U): Waitable<U> {
  return createdAround(new MappedWait(wait as Wait<T>, { value, recover: () => undefined }), wait);
}

/** A greenlet that ends with Node's error: so that one which nobody looks at is reported like any other (S10). */
function failureOf(node: NodeChild, file: string): Greenlet<never> {
  for (const stream of node.stdio ?? []) {
    stream?.on('error', ignore);
    stream?.destroy();
  }
  const failed = new AsyncResult<never>({ name: `start of ${file}` });
  node.on('error', (error) => failed.setError(error));
  const greenlet = new Greenlet<never>(() => failed.get());
  greenlet.rare().name = `start of ${file}`;
  return greenlet.start();
}

/** Start what the arguments of spawn() say. @internal */
export function spawnProgram(given: readonly unknown[]): ChildProcess {
  const program = programArguments(given, 'spawn');
  requireDescriptors({ stdio: targets(program.options.stdio) });
  return new ChildProcess(spawnChild(program.file, [...program.args], program.options), program);
}

/** Start a module of Node's with a channel. @internal */
export function forkProgram(given: readonly unknown[]): ChildProcess {
  const program = programArguments(given, 'fork', true);
  const module = given[0] as string | URL;
  const { silent, stdio = silent === true ? 'pipe' : 'inherit' } = program.options;
  // The channel is a pipe too.
  requireDescriptors({ stdio: ['pipe', ...targets(stdio)] });
  return new ChildProcess(forkChild(module, [...program.args], { ...program.options }), program);
}

function targets(stdio: unknown = 'pipe'): readonly unknown[] {
  return Array.isArray(stdio) ? stdio.map((target) => (target === 'ipc' ? 'pipe' : target)) : [stdio, stdio, stdio];
}
