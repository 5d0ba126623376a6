// stdio-streams.ts: this process's own stdin, stdout and stderr as Sockets.
//
// There is one of each, made when it is first asked for. What Node calls process.stdin, process.stdout and process.stderr stands behind them and can be used
// beside them, but not read by two at a time. close() lets go of the stream and leaves it as it is; the next call makes a new Socket.
//
// Waiting for stdin keeps the process alive; that stdin is open does not.

import { DEFAULT_HIGH_WATER_MARK, type Socket } from './socket.ts';
import { inputSocket, outputSocket } from './stdio-socket.ts';

let input: Socket | undefined;
let output: Socket | undefined;
let errors: Socket | undefined;

/** Our stdin, to be read: a terminal, a pipe or a file. Never switches. One greenlet reads at a time. */
export function stdin(): Socket {
  if (input === undefined || input.closed)
    input = inputSocket(process.stdin, 'stdin', DEFAULT_HIGH_WATER_MARK, 'shared');
  return input;
}

/**
 * Our stdout, to be written to. Never switches. A write waits while the reader of a pipe is slow, instead of piling up.
 *
 * When the reader has gone (`| head`), writes throw ConnectionResetError (EPIPE); a program in `main` is ended quietly.
 */
export function stdout(): Socket {
  if (output === undefined || output.closed) {
    output = outputSocket(process.stdout, 'stdout', DEFAULT_HIGH_WATER_MARK, 'shared');
  }
  return output;
}

/** Our stderr, as stdout. */
export function stderr(): Socket {
  if (errors === undefined || errors.closed) {
    errors = outputSocket(process.stderr, 'stderr', DEFAULT_HIGH_WATER_MARK, 'shared');
  }
  return errors;
}
