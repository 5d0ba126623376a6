// link.ts: one connection to NATS: connect, greet, write whole commands, read whole frames.

import { connect, type Framed, framed, type Op, ResourceError, type Socket, timeout } from 'tendril';
import { NatsConnectionError, NatsError, NatsProtocolError } from './errors.ts';
import { type Frame, FrameCodec, type ServerInfo } from './protocol.ts';

export interface NatsOptions {
  /** 127.0.0.1 and 4222 by default. */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** What the server calls this client in its reports. */
  readonly name?: string | undefined;
  /** How long one attempt to connect may take: 5,000 ms by default. */
  readonly connectMs?: number | undefined;
  /** After so much silence the server is asked for a sign of life; after twice as much it is taken for lost: 30,000 ms by default. */
  readonly pingMs?: number | undefined;
  /** How long a lost connection may take to come back before the client gives up: 60,000 ms by default; 0 for never. */
  readonly outageMs?: number | undefined;
  /** The pause between attempts to reconnect: 250 ms by default. */
  readonly retryMs?: number | undefined;
  /** The largest message that is taken: 8 MiB by default. */
  readonly maxPayload?: number | undefined;
  /** Told of each `-ERR` that ends nothing, such as a missing permission. */
  readonly onError?: ((error: Error) => void) | undefined;
}

export class NatsLink {
  readonly info: ServerInfo;
  readonly #frames: Framed<string | Uint8Array, Frame, Socket>;

  private constructor(frames: Framed<string | Uint8Array, Frame, Socket>, info: ServerInfo) {
    this.#frames = frames;
    this.info = info;
  }

  /** Connect, greet, and send `commands`. If it throws, nothing is left open. @throws NatsError if the server refuses. */
  static *open(options: NatsOptions, commands: string): Op<NatsLink> {
    return yield* timeout(options.connectMs ?? 5_000, openAndGreet(options, commands));
  }

  /** @internal */
  static over(frames: Framed<string | Uint8Array, Frame, Socket>, info: ServerInfo): NatsLink {
    return new NatsLink(frames, info);
  }

  /** The next frame. @throws NatsConnectionError when there is none any more. */
  *receive(): Op<Frame> {
    const frame = yield* this.#frames.receive();
    if (frame === null) throw new NatsConnectionError('the server closed the connection');
    return frame;
  }

  /** Write all of `command`, or nothing if it throws. */
  *send(...command: (string | Uint8Array)[]): Op<void> {
    try {
      yield* this.#frames.stream.writev(command);
    } catch (error) {
      if (error instanceof ResourceError) throw new NatsConnectionError('the connection was lost', error);
      throw error;
    }
  }

  close(): void {
    this.#frames.close();
  }
}

function* openAndGreet(options: NatsOptions, commands: string): Op<NatsLink> {
  const { host = '127.0.0.1', port = 4222, user, password, token, name, maxPayload = 8 * 1024 * 1024 } = options;
  const socket = yield* connect({ host, port });
  const frames = framed(socket, new FrameCodec(maxPayload));
  let greeted = false;
  try {
    const first = yield* frames.receive();
    if (first?.op !== 'INFO') throw new NatsProtocolError('the server does not begin with INFO');
    if (first.info.tlsRequired) throw new NatsError('the server wants TLS');
    const link = NatsLink.over(frames, first.info);
    const about = {
      verbose: false,
      pedantic: false,
      lang: 'tendril',
      version: '1',
      protocol: 1,
      headers: true,
      no_responders: true,
    };
    const login = { user, pass: password, auth_token: token, name };
    yield* link.send(`CONNECT ${JSON.stringify({ ...about, ...login })}\r\n${commands}PING\r\n`);
    for (;;) {
      const frame = yield* link.receive();
      if (frame.op === '-ERR') throw new NatsError(frame.text);
      if (frame.op === 'PONG') break;
    }
    greeted = true;
    return link;
  } finally {
    if (!greeted) socket.close();
  }
}
