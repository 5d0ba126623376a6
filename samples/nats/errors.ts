// errors.ts: what the NATS client throws, besides the errors of sockets (ConnectError while connecting, TimeoutError, Killed).
//
//   NatsError            the server, or the other side of a request, says no: `-ERR`, no responders
//   NatsConnectionError  the connection was lost, and what was asked is in doubt, or it did not come back in time
//   NatsProtocolError    the server sent what no NATS sends; the connection is dropped and made again

import { ResourceError } from 'tendril';

export class NatsError extends ResourceError {
  override readonly code: string;
  constructor(message: string, code = 'ERR_NATS') {
    super(message);
    this.code = code;
  }
}

export class NatsConnectionError extends ResourceError {
  override readonly code: string;
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    const code = (cause as { code?: unknown } | undefined)?.code;
    this.code = typeof code === 'string' ? code : 'ERR_NATS_CONNECTION';
  }
}

export class NatsProtocolError extends ResourceError {
  override readonly code: string = 'ERR_NATS_PROTOCOL';
}
