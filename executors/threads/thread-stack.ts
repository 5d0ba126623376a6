// thread-stack.ts: where a thread is at this moment, asked of the inspector in this process, with no port.
//
// For a thread that is about to be ended. It is paused between two instructions, which works in an endless loop, and not while it waits or is in a call of the
// system. It is let go again before we are: a thread that is paused cannot be ended.
//
// Source: the inspector protocol's NodeWorker domain, which is Node's own.

import { Session } from 'node:inspector';
import { type PausedFrame, stackText } from '../local/paused-stack.ts';

interface Attached {
  readonly sessionId: string;
  /** The thread's number stands in its title only: '[worker 3]', and a name behind it in newer versions. */
  readonly workerInfo: { readonly title: string };
}

interface FromWorker {
  readonly sessionId: string;
  /** JSON. */
  readonly message: string;
}

type DebuggerEvent =
  | { readonly method: 'Debugger.scriptParsed'; readonly params: { readonly scriptId: string; readonly url: string } }
  | { readonly method: 'Debugger.paused'; readonly params: { readonly callFrames: readonly PausedFrame[] } }
  | { readonly method?: undefined };

/** The stack of the thread with that `threadId`; undefined if it is not there before `over` aborts. Never rejects. */
export function stackOfThread(threadId: number, over: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    try {
      const look = new Look(threadId, resolve);
      look.begin();
      over.addEventListener('abort', () => look.end(undefined));
    } catch {
      // This Node has no inspector, or this is no main thread, whose inspector alone sees threads.
      resolve(undefined);
    }
  });
}

class Look {
  readonly #threadId: string;
  readonly #resolve: (stack: string | undefined) => void;
  readonly #session: Session = new Session();
  readonly #urls: Map<string, string> = new Map();
  #of: string | undefined = undefined;
  #over = false;

  constructor(threadId: number, resolve: (stack: string | undefined) => void) {
    this.#threadId = String(threadId);
    this.#resolve = resolve;
  }

  begin(): void {
    this.#session.connect();
    this.#session.on('NodeWorker.attachedToWorker', ({ params }) => this.#attached(params as Attached));
    this.#session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => this.#received(params as FromWorker));
    this.#session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  }

  #attached({ sessionId, workerInfo }: Attached): void {
    if (/\[worker (\d+)\]/.exec(workerInfo.title)?.[1] !== this.#threadId) return;
    this.#of = sessionId;
    this.#tell('Debugger.enable');
    this.#tell('Debugger.pause');
  }

  #tell(method: string): void {
    this.#session.post('NodeWorker.sendMessageToWorker', {
      sessionId: this.#of as string,
      message: JSON.stringify({ id: 1, method }),
    });
  }

  #received({ sessionId, message }: FromWorker): void {
    if (this.#over || sessionId !== this.#of) return;
    const event = JSON.parse(message) as DebuggerEvent;
    if (event.method === 'Debugger.scriptParsed') this.#urls.set(event.params.scriptId, event.params.url);
    if (event.method === 'Debugger.paused') this.end(stackText(event.params.callFrames, this.#urls));
  }

  end(stack: string | undefined): void {
    if (this.#over) return;
    this.#over = true;
    // In this order: see above.
    if (this.#of !== undefined) this.#tell('Debugger.resume');
    this.#session.post('NodeWorker.disable', () => {
      this.#session.disconnect();
      this.#resolve(stack);
    });
  }
}
