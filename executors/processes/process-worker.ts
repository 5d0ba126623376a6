// process-worker.ts: a child process that runs tasks, as the executor sees it.
//
// Messages go through the channel that Node keeps with a child it forks. Where the child is, when it hears nothing any more, is asked over a pipe of its own, which a thread in the
// child reads (watch-source.ts).
//
// The end of a child is told by two events, in any order: its exit, and the end of the channel, before which its last words arrive. It is lost after both.
//
// Invariant: the child holds this process  if and only if  `hold(true)` was called last.
// Source: the documentation of node:child_process.

import childProcess, { type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { typeError } from '../../core/bad-argument.ts';
import { depthArgument } from '../../io/nesting.ts';
import type { LocalSettings } from '../local/local-settings.ts';
import { LocalWorker, type WorkerKeeper } from '../local/local-worker.ts';
import { nodeOptions } from '../local/node-options.ts';
import { type PausedFrame, stackText } from '../local/paused-stack.ts';
import type { WorkerEnd } from '../local/worker-end.ts';
import type { LocalAnswer, LocalCall, PingMessage, StopMessage, WorkerNews } from '../local/worker-tasks.ts';
import { revive, type Thrown } from '../thrown.ts';
import { WATCHED } from './watch-source.ts';

// Taken at load: patches never reach us.
const { fork } = childProcess;
const { setTimeout, clearTimeout } = globalThis;

export interface ProcessSettings extends LocalSettings {
  readonly watched: boolean;
}

/** A message of a child's as it goes through the channel, which its tasks can use too, for whatever they want. */
export interface Said {
  readonly 'tendril.worker': ChildMessage;
}

/** What a child says. */
export type ChildMessage =
  | { readonly ready: true }
  | WorkerNews
  | { readonly answer: LocalAnswer }
  /** An error has brought it down. */
  | { readonly crash: Thrown };

export type ParentMessage = LocalCall | StopMessage | PingMessage;

/** What the thread in the child answers. */
interface Looked {
  readonly frames: readonly PausedFrame[];
  readonly urls: readonly (readonly [string, string])[];
}

/** Beside this file, compiled as this one is. */
const entry = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './process-entry.ts' : './process-entry.js', import.meta.url),
);

/** How long the end of the channel may come after the exit: somebody else may have it open. */
const lastWordsMs = 500;
/** How long a child that was let go has. */
const retireMs = 500;

export class ProcessWorker extends LocalWorker {
  readonly #child: ChildProcess;
  #end: WorkerEnd | undefined = undefined;
  #cause: unknown = undefined;
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(keeper: WorkerKeeper, { execArgv, env, watched }: ProcessSettings) {
    super(keeper);
    this.#child = fork(entry, watched ? [depthArgument(), WATCHED] : [depthArgument()], {
      serialization: 'advanced',
      stdio: watched ? ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'] : ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: nodeOptions(execArgv),
      ...(env === undefined ? {} : { env }),
    });
    const child = this.#child;
    child.on('message', (said: Partial<Said> | null) => this.#hear(said?.['tendril.worker']));
    child.on('exit', (exitCode, signal) =>
      this.#ending({ exitCode: exitCode ?? undefined, signal: signal ?? undefined }, lastWordsMs),
    );
    child.on('disconnect', () => this.#ending(undefined, undefined));
    child.on('error', (error) => {
      // A message for a child that has just gone is one too, and there its end is what counts. If nothing could be started, there is no other event.
      if (child.pid !== undefined) return;
      this.#cause = error;
      this.#ending({}, 0);
    });
    const pipe = this.#pipe;
    pipe?.on('error', () => {});
    pipe?.unref();
  }

  get #pipe(): Socket | undefined {
    return (this.#child.stdio[4] ?? undefined) as Socket | undefined;
  }

  #hear(message: ChildMessage | null | undefined): void {
    if (typeof message !== 'object' || message === null) return;
    if ('answer' in message) this.answered(message.answer);
    else if ('ready' in message) this.started();
    else if ('loaded' in message) this.loaded(message.loaded);
    else if ('heard' in message) this.heard();
    else if ('crash' in message) {
      this.#cause = revive(message.crash);
      this.failing();
    }
  }

  /** One of the two events: the exit with what is known of it, or the end of the channel. */
  #ending(end: WorkerEnd | undefined, patienceMs: number | undefined): void {
    this.#end ??= end;
    this.failing();
    if (this.#end !== undefined && (!this.#child.connected || patienceMs === 0)) this.#gone();
    else if (patienceMs !== undefined) this.#arm(() => this.#gone(), patienceMs);
    else this.#arm(() => this.kill(), retireMs);
  }

  #gone(): void {
    clearTimeout(this.#timer);
    this.#pipe?.destroy();
    if (this.#child.connected) this.#child.disconnect();
    this.lost({ ...this.#end, cause: this.#cause });
  }

  #arm(act: () => void, ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, ms);
  }

  protected send(call: LocalCall): void {
    this.#tell(call);
  }

  protected ask(id: number, reason: Thrown): void {
    if (this.#child.connected) this.#tell({ stop: id, reason });
  }

  protected ping(): void {
    if (this.#child.connected) this.#tell({ ping: true });
  }

  #tell(message: ParentMessage): void {
    try {
      this.#child.send(message);
    } catch (error) {
      throw typeError(
        `the arguments cannot travel to another process: ${(error as Error).message}`,
        'ERR_CANNOT_TRAVEL',
        { cause: error },
      );
    }
  }

  protected stack(over: AbortSignal): Promise<string | undefined> {
    const pipe = this.#pipe;
    if (pipe === undefined) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      let text = '';
      const end = (): void => {
        pipe.removeAllListeners('data').unref();
        resolve(shownStack(text));
      };
      over.addEventListener('abort', end);
      pipe.setEncoding('utf8');
      pipe.on('data', (piece: string) => {
        text += piece;
        if (text.endsWith('\n')) end();
      });
      pipe.ref();
      pipe.write('?');
    });
  }

  protected kill(): void {
    this.#child.kill('SIGKILL');
  }

  // It ends when the channel does, in its own way: what it does at its exit is done.
  protected retire(): void {
    if (this.#child.connected) this.#child.disconnect();
    else this.kill();
  }

  protected hold(holding: boolean): void {
    const { channel } = this.#child;
    if (holding) {
      this.#child.ref();
      channel?.ref();
    } else {
      this.#child.unref();
      channel?.unref();
    }
  }
}

function shownStack(text: string): string | undefined {
  if (!text.endsWith('\n')) return undefined;
  const { frames, urls } = JSON.parse(text) as Looked;
  return stackText(frames, new Map(urls));
}
