// errors.ts: what can go wrong between this process and the engine, in the families of core/errors.ts.
//
// What goes wrong with a task wherever it runs is in ../errors.ts; here is what only an executor over machines knows: a server that cannot be reached or does not want,
// a task that was given up after several lost workers, a message that nobody can read.

import { ResourceError } from '../../core/errors.ts';

/** No NATS server answered: when connecting within `connectTimeoutMs`, or later for `giveUpAfterMs`. `cause` is what the last one met with. */
export class EngineUnreachableError extends ResourceError {
  override readonly code: string = 'ERR_ENGINE_UNREACHABLE';
  readonly servers: readonly string[];
  constructor(servers: readonly string[], forMs: number, cause: unknown) {
    const why = cause instanceof Error && cause.message !== '' ? `: ${cause.message}` : '';
    super(
      `no NATS server answered at ${servers.join(', ')} for ${Math.round(forMs)} ms${why}; is it running (nats-server -js)?`,
      cause === undefined ? undefined : { cause },
    );
    this.servers = servers;
  }
}

/** The server answered, and refused: no JetStream, no permission, a limit of the account. */
export class EngineRefusedError extends ResourceError {
  override readonly code: string = 'ERR_ENGINE_REFUSED';
}

/** The connection was closed by this program while something needed it. */
export class EngineClosedError extends ResourceError {
  override readonly code: string = 'ERR_ENGINE_CLOSED';
  constructor(what: string) {
    super(`${what}: the connection to NATS was closed by this program; connect again`);
  }
}

/** The task was delivered `attempts` times and no worker finished it, or none can: it is in the stream of dead letters. */
export class TaskDeadError extends ResourceError {
  override readonly code: string = 'ERR_TASK_DEAD';
  readonly attempts: number;
  readonly reason: string;
  constructor(task: string, attempts: number, reason: string) {
    super(`${task} was given up after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}: ${reason}`);
    this.attempts = attempts;
    this.reason = reason;
  }
}

/** A message that came cannot be read: it is none of ours, of another version, or damaged. */
export class MessageMalformedError extends ResourceError {
  override readonly code: string = 'ERR_MESSAGE_MALFORMED';
}
