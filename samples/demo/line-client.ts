// line-client.ts: a client of the demo's line protocol, in sequential style: write a line, read a line.
//
// One greenlet uses it. A greenlet that is killed or times out between the two has spoilt the connection, and closes it: that is what `withLines` sees to.

import { connect, type Op, ResourceError, type Semaphore, type Socket } from 'tendril';

/** The server answered ERR. */
export class AnswerError extends ResourceError {
  override readonly code: string = 'ERR_ANSWER';
}

export class LineClient {
  readonly #socket: Socket;
  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Ask and wait for the answer. @throws AnswerError if it is an error; what the socket throws if the connection is lost. */
  *ask(question: string): Op<string> {
    // A line break in a question would be two questions.
    if (/[\r\n\0]/.test(question)) throw new TypeError('a question is one line');
    yield* this.#socket.write(`${question}\n`);
    const answer = yield* this.#socket.readLine();
    if (answer === null) throw new AnswerError('the server has gone');
    if (answer.startsWith('OK ')) return answer.slice(3);
    throw new AnswerError(answer);
  }
}

/** Run `body` with a connection, made when `dialing` has a place for it; it is closed however `body` ends. */
export function* withLines<T>(
  address: { host: string; port: number },
  dialing: Semaphore,
  body: (client: LineClient) => Op<T>,
): Op<T> {
  const socket = yield* dialing.use(connect(address));
  try {
    return yield* body(new LineClient(socket));
  } finally {
    socket.close();
  }
}
