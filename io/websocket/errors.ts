// errors.ts: what can go wrong with a WebSocket.
//
// All of it is the world's fault: a peer may do any of it at any time. `code` is stable: ws's own for what is wrong with what came (WS_ERR_*), else
// ERR_WEBSOCKET_*. Before a connection stands it is a ConnectError, a DnsError or a TlsError, as everywhere in io/.

import { ResourceError } from '../../core/errors.ts';

/** The handshake was refused, the peer broke the protocol, or the connection was lost without a proper close. */
export class WebSocketError extends ResourceError {
  override readonly code: string;
  /** The code that says so on the wire: 1002, 1006, 1007, 1009, ...; of a refused handshake the HTTP status is in `status`. */
  readonly closeCode: number | undefined;
  readonly status: number | undefined;
  constructor(
    message: string,
    code: string,
    options: { readonly closeCode?: number; readonly status?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.closeCode = options.closeCode;
    this.status = options.status;
  }
}
