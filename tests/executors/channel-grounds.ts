// channel-grounds.ts: both ends of a channel across in one process, over each kind of link, for the suite that every link passes.
import { EventEmitter, once } from 'node:events';
import net from 'node:net';
import v8 from 'node:v8';
import { MessageChannel } from 'node:worker_threads';
import { type Op, until } from 'tendril';
import { ChannelEnd, processChannel, streamChannel } from 'tendril/executors/channels';
import type { IpcPeer } from '../../executors/channels/ipc-link.ts';
import { PortLink } from '../../executors/channels/port-link.ts';

export interface Ends<T> {
  readonly near: ChannelEnd<T>;
  readonly far: ChannelEnd<T>;
  /** End the link as a thread or process that dies does: without a farewell. */
  cut(): void;
}

export interface Ground {
  readonly name: string;
  open<T>(capacity: number): Op<Ends<T>>;
}

const threads: Ground = {
  name: 'a MessagePort',
  *open<T>(capacity: number): Op<Ends<T>> {
    const { port1, port2 } = new MessageChannel();
    const settings = { capacity, name: 'jobs', agreed: true };
    const near = new ChannelEnd<T>(new PortLink(port1), settings);
    const far = new ChannelEnd<T>(new PortLink(port2), settings);
    return { near, far, cut: () => port2.close() };
  },
};

/** One side of a connection of two processes, as child_process has it. */
class Peer extends EventEmitter implements IpcPeer {
  connected = true;
  readonly pid = 1;
  other: Peer | undefined = undefined;

  send(message: unknown, _handle: undefined, _options: undefined, done: (error: Error | null) => void): boolean {
    const bytes = v8.serialize(message);
    setImmediate(() => {
      if (this.connected) this.other?.emit('message', v8.deserialize(bytes));
      done(null);
    });
    return true;
  }

  disconnect(): void {
    this.connected = false;
    setImmediate(() => this.emit('disconnect'));
  }
}

const processes: Ground = {
  name: 'the connection of a parent and a child',
  *open<T>(capacity: number): Op<Ends<T>> {
    const parent = new Peer();
    const child = new Peer();
    parent.other = child;
    child.other = parent;
    const near = processChannel<T>(parent, 'jobs', { capacity });
    const far = processChannel<T>(child, 'jobs', { capacity });
    return {
      near,
      far,
      cut: () => {
        parent.disconnect();
        child.disconnect();
      },
    };
  },
};

const streams: Ground = {
  name: 'a stream',
  *open<T>(capacity: number): Op<Ends<T>> {
    const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    yield* until(once(server, 'listening'));
    const dialled = net.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1' });
    const [accepted] = (yield* until(once(server, 'connection'))) as [net.Socket];
    server.close();
    const options = { capacity, name: 'jobs' };
    const near = streamChannel<T>(dialled, options);
    const far = streamChannel<T>(accepted, options);
    return { near, far, cut: () => accepted.resetAndDestroy() };
  },
};

export const grounds: readonly Ground[] = [threads, processes, streams];
