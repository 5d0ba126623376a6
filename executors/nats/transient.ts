// transient.ts: which failures of a request only mean "not now".
//
// A server that is starting again accepts connections before its streams are back, and one that is overloaded is late. Whoever asks is to ask again then, under the same id. What
// is none of these is an answer, and asking again would bring the same one.

import { JetStreamApiError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';
import { TendrilError } from '../../core/errors.ts';
import { EngineRefusedError } from './errors.ts';
import { SessionLost } from './session.ts';

/** JetStream's own codes for a moment of weakness: not available, no quorum, timed out, a stream or consumer that is being restored. Its status 503 alone says less: a full stream has it too. */
const weak = new Set([10004, 10005, 10008, 10009, 10012, 10118, 10119]);

export function isTransient(error: unknown): boolean {
  if (
    error instanceof SessionLost ||
    error instanceof errors.TimeoutError ||
    error instanceof errors.ClosedConnectionError
  )
    return true;
  // Nobody answers for JetStream at all: it is not up again. That it ever was has been asked when connecting.
  if (error instanceof errors.RequestError || error instanceof errors.NoRespondersError) return true;
  if ((error as Error).name === 'JetStreamNotEnabled') return true;
  return error instanceof JetStreamApiError && weak.has(error.code);
}

/** Does JetStream answer that with this code? */
export function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}

/** What the server, or the client, has answered for good, as an error of ours; our own ones as they are. */
export function refusal(error: unknown): Error {
  if (error instanceof TendrilError || error instanceof TypeError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new EngineRefusedError(`the NATS server refused: ${message}`, { cause: error });
}
