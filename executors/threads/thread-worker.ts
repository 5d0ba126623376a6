// thread-worker.ts: a thread, which is a pool of piscina's with room for one.
//
// One pool for each thread, not one for all: an executor has to know which thread runs a task, to ask it, to look where it is, to end it, and piscina does
// not say. It starts the thread, hands it the task and carries the answer. What it has no way for goes through a port that the thread sends when it starts: its
// own AbortSignal, for one, ends the thread.
//
// Invariant: `waiting` has something  implies  the thread has not sent its port yet.

import { MessagePort, type ResourceLimits, type Transferable, type Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { typeError } from '../../core/bad-argument.ts';
import { depthArgument } from '../../io/nesting.ts';
import { TaskResultError } from '../errors.ts';
import type { LocalSettings } from '../local/local-settings.ts';
import { LocalWorker, type WorkerKeeper } from '../local/local-worker.ts';
import type { LocalAnswer, LocalCall, PingMessage, StopMessage, WorkerNews } from '../local/worker-tasks.ts';
import type { Thrown } from '../thrown.ts';
import { stackOfThread } from './thread-stack.ts';

export interface ThreadSettings extends LocalSettings {
  readonly resourceLimits: ResourceLimits | undefined;
}

/** What a thread says when it starts. */
export interface FirstWords {
  readonly 'tendril.port': MessagePort;
}

/** Beside this file, compiled as this one is. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './thread-entry.ts' : './thread-entry.js', import.meta.url)
  .href;

export class ThreadWorker extends LocalWorker {
  readonly #pool: Piscina<LocalCall, LocalAnswer>;
  #thread: Worker | undefined = undefined;
  #port: MessagePort | undefined = undefined;
  #waiting: (StopMessage | PingMessage)[] = [];
  #cause: unknown = undefined;
  #broken = false;

  constructor(keeper: WorkerKeeper, { execArgv, env, resourceLimits }: ThreadSettings) {
    super(keeper);
    this.#pool = new Piscina<LocalCall, LocalAnswer>({
      filename: entry,
      name: 'run',
      argv: [depthArgument()],
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      // The thread's loop goes on between tasks. By default it stands still, and with it whatever a task has left behind: connections, timers, other greenlets.
      atomics: 'async',
      recordTiming: false,
      ...(execArgv === undefined ? {} : { execArgv }),
      ...(env === undefined ? {} : { env }),
      ...(resourceLimits === undefined ? {} : { resourceLimits }),
    });
    this.#pool.on('workerCreate', () => this.started());
    // A task can post whatever it wants to: that is not for us. Ours came first.
    this.#pool.on('message', (message: Partial<FirstWords> | null | undefined) => {
      const port = message?.['tendril.port'];
      if (port instanceof MessagePort && this.#port === undefined) this.#connect(port);
    });
    // Errors of the thread come from the thread, below.
    this.#pool.on('error', () => {});
  }

  protected send(call: LocalCall, moved: readonly Transferable[]): void {
    try {
      const options = moved.length === 0 ? {} : { transferList: [...moved] };
      this.#pool.run(call, options).then(this.#onAnswer, this.#onRefusal);
    } catch (cause) {
      // There is no thread: its options are none for threads, or the system has none left.
      this.lost({ cause });
      return;
    }
    if (this.#thread === undefined) this.#adopt(this.#pool.threads[0] as Worker);
  }

  readonly #onAnswer = (answer: LocalAnswer): void => this.answered(answer);

  readonly #onRefusal = (error: unknown): void => {
    // If the thread has failed, its end is what counts, and is still to come.
    if (this.#broken) return;
    this.refused(
      typeError(`the arguments cannot travel to a thread: ${(error as Error).message}`, 'ERR_CANNOT_TRAVEL', {
        cause: error,
      }),
    );
  };

  #adopt(thread: Worker): void {
    this.#thread = thread;
    thread.once('error', (error: unknown) => {
      this.#broken = true;
      this.#cause = error;
      this.failing();
    });
    thread.once('exit', (exitCode) => {
      this.#broken = true;
      this.#port?.close();
      this.lost({ exitCode, cause: this.#cause, error: unsent(this.#cause) });
    });
  }

  #connect(port: MessagePort): void {
    this.#port = port;
    port.on('message', (news: WorkerNews) => {
      if ('loaded' in news) this.loaded(news.loaded);
      else this.heard();
    });
    port.unref(); // after the listener, which holds the process
    for (const message of this.#waiting) port.postMessage(message);
    this.#waiting = [];
  }

  protected ask(id: number, reason: Thrown): void {
    this.#tell({ stop: id, reason });
  }

  protected ping(): void {
    this.#tell({ ping: true });
  }

  #tell(message: StopMessage | PingMessage): void {
    if (this.#port === undefined) this.#waiting.push(message);
    else this.#port.postMessage(message);
  }

  protected stack(over: AbortSignal): Promise<string | undefined> {
    return stackOfThread((this.#thread as Worker).threadId, over);
  }

  protected kill(): void {
    void this.#thread?.terminate();
  }

  protected retire(): void {
    this.kill();
  }

  // piscina holds the process while a thread starts and while a task is with it.
  protected hold(): void {}
}

/** piscina has no other answer to a result that cannot be posted than to bring the thread down. */
function unsent(cause: unknown): TaskResultError | undefined {
  if (!(cause instanceof Error && cause.name === 'DataCloneError')) return undefined;
  return new TaskResultError(`the task ended well, but its result cannot travel: ${cause.message}`, { cause });
}
