// ipc-link.ts: links between a process and its child over the connection that node:child_process gives both (fork, or 'ipc' in stdio): any number of them, by name.
//
// The two sides open a name in any order. Each greets when it opens, and whoever is greeted greets back; nothing else is posted before, because a message for a
// name that nobody has opened is dropped. A channel that is closed before anybody has greeted keeps its name until then, to say farewell.
//
// A greeting carries a Map: what arrives as one was cloned; what does not was written as JSON, over which values would change without a word. Such a
// connection is refused (`serialization: 'advanced'` is what is asked for).
//
// A value of several levels travels as the bytes that v8.serialize makes of it. Node would read it before we see it, and v8 writes what is nested deeper than it can read: that
// would end the process where nobody can catch it. So it is read here, and what cannot be is an error in the place of that value.
//
// In a child the listeners are not counted as users of the connection, so they do not keep it alive. In a parent that is for whoever started the child to say
// (`child.unref()`, `child.channel.unref()`).

import v8 from 'node:v8';
import type { Link, LinkMessage, LinkSink } from './link.ts';

/** What `process` and a ChildProcess have in common. */
export interface IpcPeer {
  readonly connected?: boolean | undefined;
  readonly pid?: number | undefined;
  readonly channel?: unknown;
  send?(message: unknown, handle: undefined, options: undefined, done: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
}

const TAG = 'tendril.channel';
const ignore = (): void => {};

interface Greeting {
  readonly probe: unknown;
  readonly answered: boolean;
}

type Payload = LinkMessage | Greeting | Uint8Array;

/** All links over one connection. There is one for each, and it stays. */
class IpcHub {
  readonly #peer: IpcPeer;
  readonly #links: Map<string, IpcLink> = new Map();

  constructor(peer: IpcPeer) {
    this.#peer = peer;
    peer.on('message', (message) => this.#message(message));
    peer.on('disconnect', () => {
      const links = [...this.#links.values()];
      this.#links.clear();
      for (const link of links) link.disconnected(`${this.name} has ended or disconnected`);
    });
    if (peer === process) uncount(peer.channel);
  }

  get name(): string {
    return this.#peer === process ? 'the parent process' : `child process ${this.#peer.pid}`;
  }

  has(name: string): boolean {
    return this.#links.has(name);
  }

  add(name: string, link: IpcLink): void {
    this.#links.set(name, link);
  }

  remove(name: string, link: IpcLink): void {
    if (this.#links.get(name) === link) this.#links.delete(name);
  }

  post(name: string, payload: Payload): void {
    if (this.#peer.connected === true) this.#peer.send?.([TAG, name, payload], undefined, undefined, ignore);
  }

  #message(message: unknown): void {
    if (!Array.isArray(message) || message[0] !== TAG || typeof message[1] !== 'string') return;
    const [, name, payload] = message as [string, string, Payload];
    this.#links.get(name)?.received(payload);
  }
}

/** Node counts listeners for messages in a child and references the connection for them. Two are ours. */
function uncount(channel: unknown): void {
  const control = channel as { unrefCounted?(): void } | null | undefined;
  control?.unrefCounted?.();
  control?.unrefCounted?.();
}

function isGreeting(payload: Payload): payload is Greeting {
  return typeof payload === 'object' && payload !== null && !Array.isArray(payload) && 'probe' in payload;
}

/** What has more than one level, as bytes. The rest goes as it is, which is a third faster for small objects. */
function payloadOf(message: LinkMessage): Payload {
  if (!Array.isArray(message) || message.length !== 1) return message;
  const [value] = message as readonly unknown[];
  return typeof value === 'object' && value !== null && !isFlat(value) ? v8.serialize(value) : message;
}

/** Is it a plain object of one level? */
function isFlat(value: object): boolean {
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  for (const key in value) {
    const member: unknown = (value as Record<string, unknown>)[key];
    if (typeof member === 'object' && member !== null) return false;
  }
  return true;
}

const hubs = new WeakMap<IpcPeer, IpcHub>();

/** The hub of `peer`, which is made for the first link. */
export function hubOf(peer: IpcPeer): IpcHub {
  const hub = hubs.get(peer) ?? new IpcHub(peer);
  hubs.set(peer, hub);
  return hub;
}

export class IpcLink implements Link {
  readonly to: string = 'another process';
  readonly transfers: boolean = false;
  readonly #hub: IpcHub;
  readonly #name: string;
  #sink: LinkSink | undefined = undefined;
  /** What waits for the other side to open this name; undefined once it has. */
  #waiting: LinkMessage[] | undefined = [];

  constructor(hub: IpcHub, name: string) {
    this.#hub = hub;
    this.#name = name;
  }

  start(sink: LinkSink): void {
    this.#sink = sink;
    this.#hub.add(this.#name, this);
    this.#greet(false);
  }

  #greet(answered: boolean): void {
    this.#hub.post(this.#name, { probe: new Map(), answered });
  }

  post(message: LinkMessage): void {
    if (this.#waiting !== undefined) this.#waiting.push(message);
    else if (this.#sink !== undefined) this.#hub.post(this.#name, payloadOf(message));
  }

  /** @internal */
  received(payload: Payload): void {
    if (payload instanceof Uint8Array) {
      this.#object(payload);
      return;
    }
    if (!isGreeting(payload)) {
      this.#sink?.message(payload);
      return;
    }
    if (!payload.answered) this.#greet(true);
    if (!(payload.probe instanceof Map)) {
      this.#sink?.closed(
        "values cannot be cloned over this connection: start the child with serialization: 'advanced'",
      );
      return;
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const message of waiting) this.#hub.post(this.#name, payloadOf(message));
  }

  #object(bytes: Uint8Array): void {
    let value: unknown;
    try {
      value = v8.deserialize(bytes);
    } catch (error) {
      this.#sink?.unreadable(error);
      return;
    }
    this.#sink?.message([value]);
  }

  /** @internal */
  disconnected(why: string): void {
    this.#sink?.closed(why);
  }

  close(): void {
    this.#sink = undefined;
    this.#hub.remove(this.#name, this);
  }
}
