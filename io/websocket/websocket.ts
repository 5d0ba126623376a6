// websocket.ts: a WebSocket in sequential style: `receive()` waits for a message, `send()` for room.
//
// `ws` frames, masks and checks; it reads and writes one of our sockets (http-server-stream.ts). What it says by events is kept here until somebody receives
// it. When more is kept than the mark the peer has to wait, so a slow receiver costs at most the mark and what one read brings.
//
// A silent peer is pinged, and lost if it does not answer. While we hold it back that proves nothing, and is not done.
//
// Invariants, between any two steps:
//   somebody receives     implies  no message is kept, and the connection is neither over nor broken
//   state is 'closed'     implies  the socket is closed, no timer is armed
// Sources: RFC 6455, trio-websocket, gorilla/websocket.

import { composite } from '../../core/composite.ts';
import { BusyError, ClosedError } from '../../core/errors.ts';
import { Event } from '../../core/event.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import { readyResult } from '../../core/kernel.ts';
import type { Op, Resume, Trap, Waitable } from '../../core/op.ts';
import type { Scheduler } from '../../core/scheduler.ts';
import { LAZY } from '../../core/status.ts';
import { timeout } from '../../core/timeout.ts';
import { created } from '../../core/unstarted.ts';
import type { Waiter } from '../../core/wait-list.ts';
import type { Address } from '../address.ts';
import { codeOf } from '../errors.ts';
import { MovingLimit } from '../http-server-clock.ts';
import type { Socket } from '../socket.ts';
import { iterate } from '../stream-iterator.ts';
import { pieceOf, type Writable } from '../writable.ts';
import { WebSocketError } from './errors.ts';
import { checkClose, type WebSocketSettings } from './options.ts';
import { type Message, ReceiveWait } from './receive.ts';

/** What we need of a WebSocket of ws. */
export interface NodeWebSocket {
  readonly bufferedAmount: number;
  readonly isPaused: boolean;
  readonly protocol: string;
  readonly readyState: number;
  on(event: string, listener: (...args: never[]) => void): unknown;
  send(data: string | Uint8Array, options: { binary: boolean }, done: (error?: Error) => void): void;
  ping(data?: Uint8Array): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

const OPEN = 1;
const NORMAL = 1000;
/** There was no close frame. */
const ABNORMAL = 1006;

/** One end of a WebSocket. connect() and accept() make them. */
export class WebSocket {
  readonly #raw: NodeWebSocket;
  readonly #socket: Socket;
  readonly #settings: WebSocketSettings;
  /** Told of errors that are the peer's fault. */
  readonly #blame: (error: WebSocketError) => void;
  readonly #clock: MovingLimit;
  readonly #messages: Message[] = [];
  #kept = 0;
  #receiver: Waiter | undefined = undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  /** Did we begin to close? */
  #ours = false;
  #failure: WebSocketError | undefined = undefined;
  #asked = false;
  #closeCode: number | undefined = undefined;
  #closeReason = '';
  readonly #room: Event = new Event({ name: 'room in a websocket' });
  readonly #over: Event = new Event({ name: 'end of a websocket' });
  readonly #receive: ReceiveWait = new ReceiveWait(this);

  /** @internal: connect() and accept() make these. */
  constructor(
    raw: NodeWebSocket,
    socket: Socket,
    scheduler: Scheduler,
    settings: WebSocketSettings,
    blame: (error: WebSocketError) => void = () => {},
  ) {
    this.#raw = raw;
    this.#socket = socket;
    this.#settings = settings;
    this.#blame = blame;
    this.#clock = new MovingLimit(scheduler, () => this.#due());
    this.#room.set();
    this.#clock.move(settings.pingMs);
    raw.on('message', (data: Buffer, binary: boolean) => this.#arrived(binary ? data : data.toString()));
    raw.on('ping', () => this.#alive());
    raw.on('pong', () => this.#alive());
    raw.on('error', (error: Error) => this.#broken(error));
    raw.on('close', (code: number, reason: Buffer) => this.#closed(code, reason.toString()));
  }

  /** The subprotocol that both agreed on; '' if none. */
  get protocol(): string {
    return this.#raw.protocol;
  }

  get remoteAddress(): Address {
    return this.#socket.remoteAddress;
  }

  get localAddress(): Address {
    return this.#socket.localAddress;
  }

  /** True when the connection is over. */
  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** The code with which it was closed: 1000, 1001, ... by the peer or by us, 1005 for none, 1006 if it was lost; undefined before. */
  get closeCode(): number | undefined {
    return this.#closeCode;
  }

  /** What the peer said when it closed; ''. */
  get closeReason(): string {
    return this.#closeReason;
  }

  /** How many bytes were sent and have not reached the operating system. */
  get bufferedAmount(): number {
    return this.#raw.bufferedAmount;
  }

  /**
   * Receive the next message: text as a string, anything else as bytes; null when the peer, or we, have closed.
   *
   * Switches only if none is there. If it throws Killed or TimeoutError, no message was taken. What came before the end is given first.
   *
   * @throws WebSocketError if the peer broke the protocol, sent too much or was lost; then and ever after. @throws BusyError if another greenlet receives.
   * @throws ClosedError after terminate(), or when it is called while we wait.
   */
  receive(): Waitable<Message | null> {
    return created(this.#receive);
  }

  /** As receive, so that forEach takes it. @internal */
  read(): Waitable<Message | null> {
    return this.#receive;
  }

  /**
   * Send a message: text, or bytes (a typed array, a DataView or an ArrayBuffer), which must not be changed before they have left.
   *
   * Waits until less than the mark is buffered and only then takes it. If it throws, it was not sent. That it was sent does not mean that it was received.
   *
   * @throws WebSocketError (ERR_WEBSOCKET_CLOSED) if the peer has closed or was lost. @throws ClosedError after our own close or terminate.
   * @throws TypeError, at the call, for anything else. @throws Killed if the greenlet is killed while it waits.
   */
  send(data: Writable): Op<void> {
    const piece = pieceOf(data, 'send');
    return composite(() => this.#send(piece));
  }

  *#send(data: string | Uint8Array): Generator<Trap, void, Resume> {
    while (!this.#room.isSet) yield* this.#room.wait();
    // Also where there is room: a kill is to be found here.
    yield* this.#room.wait();
    if (this.#state !== 'open') throw this.#refusal('send');
    const raw = this.#raw;
    raw.send(data, { binary: typeof data !== 'string' }, () => {
      if (raw.bufferedAmount < this.#settings.highWaterMark) this.#room.set();
    });
    if (raw.bufferedAmount >= this.#settings.highWaterMark) this.#room.clear();
  }

  /**
   * Close: tell the peer, wait until it has answered, and let the connection go. What was sent before is delivered; what still comes is dropped.
   *
   * Switches. A peer that does not answer within `closeTimeoutMs` is not waited for. However it ends, the connection is closed; idempotent.
   *
   * @throws RangeError or TypeError, at the call, for a code that may not be sent (1000, 1001, 1003, 1007 to 1014, 3000 to 4999), or a reason of more than
   * 123 bytes. @throws Killed if the greenlet is killed: the connection is closed all the same.
   */
  close(code: number = NORMAL, reason = ''): Op<void> {
    checkClose(code, reason);
    return composite(() => this.#close(code, reason));
  }

  *#close(code: number, reason: string): Generator<Trap, void, Resume> {
    if (this.#state === 'closed') return;
    try {
      this.beginClose(code, reason);
      yield* timeout(this.#settings.closeTimeoutMs, this.#over.wait(), { else: undefined });
    } finally {
      this.terminate();
    }
  }

  /** Close the connection at once, without a word. Who receives gets ClosedError. Never switches; idempotent. */
  terminate(): void {
    if (this.#state === 'closed') return;
    this.#ours = true;
    this.#raw.terminate();
    this.#closed(this.#closeCode ?? ABNORMAL, this.#closeReason);
  }

  /** `using`: terminate at the end of the block. */
  [Symbol.dispose](): void {
    this.terminate();
  }

  /** `for await (const message of webSocket)` in ordinary code; leaving the loop early closes it. */
  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return iterate<Message>({ receive: () => this.receive(), close: () => this.terminate() }, true);
  }

  /** `websocket 127.0.0.1:4000 -> 127.0.0.1:80`. */
  toString(): string {
    return `web${this.#socket.toString()}`;
  }

  /** Tell the peer that we close. @internal */
  beginClose(code: number, reason: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#ours = true;
    this.#clock.move(this.#settings.closeTimeoutMs);
    this.#room.set();
    this.#raw.close(code, reason);
    // The peer's answer may be behind what we have not let in.
    this.#drop();
  }

  // ---- from ws

  #arrived(message: Message): void {
    this.#alive();
    if (this.#ours) return;
    const receiver = this.#detach();
    if (receiver !== undefined) {
      receiver.fire(message, 0);
      return;
    }
    this.#messages.push(message);
    this.#kept += message.length;
    if (this.#kept >= this.#settings.highWaterMark && !this.#raw.isPaused) this.#raw.pause();
  }

  #alive(): void {
    this.#asked = false;
    if (this.#state === 'open') this.#clock.move(this.#settings.pingMs);
  }

  #broken(error: Error): void {
    const closeCode = CLOSE_CODES.get(codeOf(error) ?? '') ?? (codeOf(error)?.startsWith('WS_ERR_') ? 1002 : ABNORMAL);
    this.#fail(
      new WebSocketError(`receive on ${this.toString()}: ${error.message}`, codeOf(error) ?? 'ERR_WEBSOCKET_LOST', {
        closeCode,
        cause: error,
      }),
    );
    // ws tells the peer; one that does not listen is not waited for.
    if (this.#state === 'open') this.#state = 'closing';
    this.#room.set();
    this.#clock.move(this.#settings.closeTimeoutMs);
  }

  #closed(code: number, reason: string): void {
    if (this.#state === 'closed') return;
    const ours = this.#ours;
    this.#state = 'closed';
    this.#clock.cancel();
    this.#closeCode = this.#failure?.closeCode ?? code;
    this.#closeReason = reason;
    if (code === ABNORMAL && !ours) {
      this.#fail(
        new WebSocketError(
          `receive on ${this.toString()}: the connection was lost without a close`,
          'ERR_WEBSOCKET_LOST',
          { closeCode: code },
        ),
      );
    }
    this.#room.set();
    this.#over.set();
    this.#socket.close();
    const receiver = this.#detach();
    if (receiver === undefined) return;
    if (ours && code === ABNORMAL) receiver.fire(() => this.#refusal('receive'), LAZY);
    else receiver.fire(null, 0);
  }

  #fail(error: WebSocketError): void {
    if (this.#failure !== undefined || this.#ours) return;
    this.#failure = error;
    this.#blame(error);
    this.#detach()?.fire(() => error, LAZY);
  }

  #due(): void {
    if (this.#state !== 'open') {
      this.#raw.terminate();
      this.#closed(ABNORMAL, '');
    } else if (this.#raw.isPaused || this.#raw.readyState !== OPEN) {
      this.#clock.move(this.#settings.pingMs);
    } else if (this.#asked) {
      this.#fail(
        new WebSocketError(
          `receive on ${this.toString()}: no answer to a ping within ${this.#settings.pongTimeoutMs} ms`,
          'ERR_WEBSOCKET_PING_TIMEOUT',
          {
            closeCode: ABNORMAL,
          },
        ),
      );
      this.#raw.terminate();
      this.#closed(ABNORMAL, '');
    } else {
      this.#asked = true;
      this.#raw.ping();
      this.#clock.move(this.#settings.pongTimeoutMs);
    }
  }

  // ---- for receive()

  /** @internal */
  look(greenlet: Greenlet): boolean {
    if (this.#receiver !== undefined) throw this.#busy(greenlet);
    const message = this.#messages.shift();
    if (message !== undefined) {
      this.#kept -= message.length;
      if (this.#raw.isPaused && 2 * this.#kept <= this.#settings.highWaterMark) this.#raw.resume();
      readyResult.value = message;
      return true;
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#ours && this.#closeCode === ABNORMAL) throw this.#refusal('receive');
    if (this.#state !== 'closed') return false;
    readyResult.value = null;
    return true;
  }

  /** @internal */
  enlist(waiter: Waiter): void {
    if (this.#receiver !== undefined) throw this.#busy(waiter.owner());
    this.#receiver = waiter;
  }

  /** @internal */
  retract(): void {
    this.#receiver = undefined;
  }

  #detach(): Waiter | undefined {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    return receiver;
  }

  #drop(): void {
    this.#messages.length = 0;
    this.#kept = 0;
    if (this.#raw.isPaused) this.#raw.resume();
  }

  #busy(second: Greenlet): BusyError {
    const first = (this.#receiver as Waiter).owner();
    return new BusyError(
      `receive by ${second.name} on ${this.toString()}, on which ${first === second ? 'it' : first.name} receives: one greenlet at a time`,
    );
  }

  #refusal(op: string): Error {
    const what = `${op} on ${this.toString()}`;
    if (this.#ours) return new ClosedError(`${what}, which we have closed`);
    const error = new WebSocketError(`${what}: the peer has closed it`, 'ERR_WEBSOCKET_CLOSED', {
      closeCode: this.#closeCode ?? ABNORMAL,
      cause: this.#failure,
    });
    this.#blame(error);
    return error;
  }
}

const CLOSE_CODES: ReadonlyMap<string, number> = new Map([
  ['WS_ERR_INVALID_UTF8', 1007],
  ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009],
  ['WS_ERR_TOO_MANY_BUFFERED_PARTS', 1008],
]);
