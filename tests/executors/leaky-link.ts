// leaky-link.ts: a way to a server on this machine that can lose what the server says and then break, as a network does: what is lost was sent, and the server does not know.
// It can also keep what is said to the server for a while, or lose a part of it.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface LeakyLink {
  /** 'host:port', by which the server is reached. */
  readonly address: string;
  /** What the server says is lost from the packet on that has this text. */
  loseFrom(text: string): void;
  /** Has that packet come? */
  readonly losing: boolean;
  /** What is said to the server waits, until `release`. */
  hold(): void;
  release(): void;
  /** The next packet to the server that has this text is lost. */
  loseNext(text: string): void;
  /** Was it? */
  readonly lost: boolean;
  /** Break every connection; later ones are whole. */
  cut(): void;
  end(): Promise<void>;
}

export async function leakyLink(port: number): Promise<LeakyLink> {
  const sockets = new Set<Socket>();
  let first: string | undefined;
  let losing = false;
  let held: (() => void)[] | undefined;
  let next: string | undefined;
  const cut = (): void => {
    first = undefined;
    losing = false;
    for (const socket of sockets) socket.destroy();
  };
  const listening = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on('data', (data) => {
      if (next !== undefined && data.includes(next)) next = undefined;
      else if (held === undefined) far.write(data);
      else held.push(() => far.write(data));
    });
    far.on('data', (data) => {
      losing ||= first !== undefined && data.includes(first);
      if (!losing) near.write(data);
    });
  }).listen(0, '127.0.0.1');
  await once(listening, 'listening');
  return {
    address: `127.0.0.1:${(listening.address() as AddressInfo).port}`,
    loseFrom(text) {
      first = text;
    },
    get losing() {
      return losing;
    },
    hold() {
      held = [];
    },
    release() {
      for (const send of held ?? []) send();
      held = undefined;
    },
    loseNext(text) {
      next = text;
    },
    get lost() {
      return next === undefined;
    },
    cut,
    async end() {
      cut();
      listening.close();
      await once(listening, 'close');
    },
  };
}
