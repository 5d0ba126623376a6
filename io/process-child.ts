// process-child.ts: a child process: its three streams, its end, and how to bring that about.
//
// Whether our process lives is for the scheduler's hold() to say, so Node's handles of the child are unref'd: a child that nobody waits for does not keep us
// alive. It is reaped as soon as it exits, whether somebody waits or not, and how it ended can be asked for ever after.
//
// A wait for its end that is given up by a select or its own timeout leaves the child alone. One whose greenlet is killed takes the child with it
// (`whenKilled`): the wait ends at once, and a greenlet of ours sees to the child's end, so that main() and run() do not end before.
//
// Invariants, between any two steps:
//   a waiter is enlisted  implies  status is undefined
//   the registry has this process  if and only if  it has neither exited nor been closed

/// <reference lib="esnext.disposable" preserve="true" />

import type { ChildProcess } from 'node:child_process';
import type { Writable as NodeWritable, Readable } from 'node:stream';
import { composite } from '../core/composite.ts';
import { UsageError } from '../core/errors.ts';
import { Greenlet } from '../core/greenlet.ts';
import type { Op, Waitable } from '../core/op.ts';
import { shield } from '../core/shield.ts';
import { WaitList } from '../core/wait-list.ts';
import { checkOptions, own, ownFlag, ownMs } from './address.ts';
import { handleClosed, handleOpened } from './handles.ts';
import { Ending } from './process-ending.ts';
import { checkSignal, type Settings } from './process-options.ts';
import { type CommunicateOptions, communicate, type Output } from './process-output.ts';
import { type ExitStatus, ExitWait } from './process-wait.ts';
import type { Socket } from './socket.ts';
import { inputSocket, outputSocket } from './stdio-socket.ts';
import type { Writable } from './writable.ts';

export interface KillOptions {
  /** SIGTERM, or the `killSignal` of spawn, by default. */
  readonly signal?: NodeJS.Signals | undefined;
  /** True: to the child and everything it has started and that has not left its group. The child must have been spawned `detached`. */
  readonly group?: boolean | undefined;
}

export interface StopOptions {
  /** The signal that asks; that of spawn by default. */
  readonly signal?: NodeJS.Signals | undefined;
  /** How long the child has to end before SIGKILL; that of spawn by default. 0 is SIGKILL at once, Infinity never. */
  readonly graceMs?: number | undefined;
}

/** A child process. `process.spawn` makes them. */
export class Process {
  readonly pid: number;
  readonly file: string;
  readonly args: readonly string[];
  readonly #settings: Settings;
  readonly #ending: Ending;
  readonly #streams: Readonly<Record<StreamName, Socket | undefined>>;
  readonly #waiters: WaitList = new WaitList();
  readonly #wait: ExitWait;
  #status: ExitStatus | undefined = undefined;
  #closed = false;
  #abandoned = false;

  /** @internal: process.spawn makes them. */
  constructor(child: ChildProcess, pid: number, settings: Settings) {
    this.pid = pid;
    this.file = settings.file;
    this.args = settings.args;
    this.#settings = settings;
    this.#ending = new Ending(child, pid, this.toString(), settings.detached);
    this.#wait = new ExitWait(this, this.#waiters, settings.stopsWhenKilled);
    const { highWaterMark } = settings;
    const input = (stream: Readable | null, name: string): Socket | undefined =>
      stream === null ? undefined : inputSocket(stream, `${name} of ${this}`, highWaterMark, 'own');
    const output = (stream: NodeWritable | null): Socket | undefined =>
      stream === null ? undefined : outputSocket(stream, `stdin of ${this}`, highWaterMark, 'own');
    this.#streams = {
      stdin: output(child.stdin),
      stdout: input(child.stdout, 'stdout'),
      stderr: input(child.stderr, 'stderr'),
    };
    child.unref();
    child.on('exit', (exitCode, signal) => this.#exited({ exitCode, signal }));
    handleOpened('process', this);
  }

  /** The pipe to its stdin. Write to it; `end()` lets the child see the end. @throws UsageError if it was not spawned with one. */
  get stdin(): Socket {
    return this.#stream('stdin');
  }

  /** The pipe from its stdout. @throws UsageError if it was not spawned with one. */
  get stdout(): Socket {
    return this.#stream('stdout');
  }

  /** The pipe from its stderr. @throws UsageError if it was not spawned with one. */
  get stderr(): Socket {
    return this.#stream('stderr');
  }

  #stream(name: StreamName): Socket {
    const socket = this.#streams[name];
    if (socket === undefined) throw new UsageError(`${name} of ${this} is no pipe: spawn it with stdio 'pipe' there`);
    return socket;
  }

  /** Those of its streams that are pipes. @internal */
  get pipes(): Readonly<Record<StreamName, Socket | undefined>> {
    return this.#streams;
  }

  /** How it ended; undefined while it runs. */
  get status(): ExitStatus | undefined {
    return this.#status;
  }

  /**
   * Wait until the child has exited; returns how. What it printed may still be unread.
   *
   * Switches unless it has exited. Any number may wait. A child that fills a pipe which nobody reads never exits: see `communicate`. If the wait is given up
   * by a select or a timeout of its own the child goes on; if the greenlet is killed the child is stopped, unless it was spawned with `whenKilled: 'leave'`.
   *
   * @throws Killed if the greenlet is killed while it waits.
   */
  wait(): Waitable<ExitStatus> {
    return this.#wait;
  }

  /**
   * Send a signal. True if it was sent, false if the child (or its group) has gone. Never switches.
   *
   * @throws TypeError for a signal that does not exist. @throws UsageError for the group of a child that was not spawned `detached`.
   * @throws SignalError if the system refuses it (EPERM).
   */
  kill(how?: NodeJS.Signals | KillOptions): boolean {
    const given = typeof how === 'string' ? { signal: how } : checkOptions(how, 'kill');
    const signal = checkSignal(own<unknown>(given, 'signal') ?? this.#settings.killSignal, 'kill: the signal');
    const group = ownFlag(given, 'group', false, 'kill');
    if (group && !this.#settings.detached) {
      throw new UsageError(`${this} is in our own process group: spawn it with {detached: true} to signal its group`);
    }
    return this.#ending.send(signal, group);
  }

  /**
   * Ask the child to end, kill it when the grace is over, and wait until it has exited. A detached child's whole group is stopped.
   *
   * Switches unless it has exited. Idempotent; the shortest grace counts. If it throws Killed, the child is still being stopped: put it into
   * `shield(Infinity, child.stop())` where it must be waited for.
   *
   * @throws SignalError if the system refuses the signal (EPERM): the child goes on.
   */
  stop(options?: StopOptions): Op<ExitStatus> {
    const given = checkOptions(options, 'stop');
    const signal = checkSignal(own<unknown>(given, 'signal') ?? this.#settings.killSignal, 'stop: the signal');
    return composite(stopping, this, this.#ending, signal, ownMs(given, 'graceMs', this.#settings.graceMs, 'stop'));
  }

  /**
   * Write `input` to stdin and end it, read stdout and stderr to their ends, and wait for the exit: all at once, so that no full pipe can block.
   *
   * Switches. However it ends, the child has exited: an error or a kill stops it first. That the child does not read its input is no error.
   *
   * @throws MaxBufferError if it prints more than `maxBuffer` bytes to one of them (16 MiB). @throws ExitError with `check`, if its exit code is not 0.
   * @throws BusyError if another greenlet is reading. @throws SignalError if it has to be stopped and cannot be. @throws Killed if the greenlet is killed.
   * @see https://docs.python.org/3/library/subprocess.html#subprocess.Popen.communicate
   */
  communicate(
    input: Writable | undefined,
    options: CommunicateOptions & { readonly encoding: 'buffer' },
  ): Op<Output<Buffer>>;
  communicate(
    input?: Writable,
    options?: CommunicateOptions & { readonly encoding?: 'utf8' | 'latin1' | undefined },
  ): Op<Output<string>>;
  communicate(input?: Writable, options?: CommunicateOptions): Op<Output<string | Buffer>> {
    return communicate(this, input, options, 'communicate');
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Close its pipes, and kill it (a detached one with its group) if it has not exited.
   *
   * Never switches, never throws; idempotent. Who waits for a pipe gets ClosedError; who waits for the exit gets that. To let it end in peace, `stop` first.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Killed first: else it could see the end of its stdin, and end in some other way.
    if (this.#status === undefined) this.#ending.finish();
    for (const socket of Object.values(this.#streams)) socket?.close();
    handleClosed(this);
  }

  #exited(status: ExitStatus): void {
    this.#status = status;
    this.#ending.exited();
    handleClosed(this);
    for (let { head } = this.#waiters; head !== undefined; head = this.#waiters.head) {
      this.#wait.retire(head);
      head.fire(status, 0);
    }
  }

  /** The wait for its end by one who cares for it: giving it up changes nothing. @internal */
  exit(): Waitable<ExitStatus> {
    return new ExitWait(this, this.#waiters, false);
  }

  /** The greenlet that waited for it was killed: bring it to its end. @internal */
  abandon(): void {
    if (this.#abandoned || this.#status !== undefined) return;
    this.#abandoned = true;
    try {
      this.#ending.begin(this.#settings.killSignal, this.#settings.graceMs);
    } catch {
      return; // The system refuses: it goes on, and nobody is left to be told.
    }
    const greenlet = new Greenlet(seeToEnd, this);
    greenlet.rare().name = `end of ${this}`;
    greenlet.scope.scheduler.stats.orphans += 1;
    greenlet.onEnd(() => {
      greenlet.scope.scheduler.stats.orphans -= 1;
    });
    greenlet.start();
  }

  /** `process 4242 (ls)`. */
  toString(): string {
    return `process ${this.pid} (${this.file})`;
  }
}

type StreamName = 'stdin' | 'stdout' | 'stderr';

function* stopping(child: Process, ending: Ending, signal: NodeJS.Signals, graceMs: number): Op<ExitStatus> {
  if (child.status === undefined || ending.grouped) ending.begin(signal, graceMs);
  const status = yield* child.exit();
  yield* ending.groupGone();
  return status;
}

function* seeToEnd(child: Process): Op<void> {
  yield* shield(Number.POSITIVE_INFINITY, child.stop());
}
