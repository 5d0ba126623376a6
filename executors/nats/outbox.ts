// outbox.ts: what a worker publishes of a task: its outcome to whoever waits, or, if it is given up, the task itself to the dead letters.
//
// Both return when the server keeps the message. Only then is the task acknowledged, so that whatever is lost on the way makes it come again.

import { headers } from '@nats-io/transport-node';
import type { Op } from '../../core/op.ts';
import { encodeOutcome, keyed, type Outcome } from './envelope.ts';
import type { NatsLink } from './link.ts';
import type { Delivery } from './pull.ts';
import type { QueueNames } from './queue-streams.ts';

/** Who waits for an outcome. */
export interface Addressee {
  readonly client: string;
  readonly number: string;
}

/** Headers of a dead letter. */
const reasonHeader = 'Tendril-Reason';
const attemptsHeader = 'Tendril-Attempts';
const headroomBytes = 1_024;

/** Publish an outcome. One that cannot travel becomes one that says so. */
export function* publishOutcome(link: NatsLink, names: QueueNames, to: Addressee, outcome: Outcome): Op<void> {
  const text = encodable(outcome, link.maxPayload);
  if (to.client === keyed) {
    yield* link.attempt((session) => session.during(session.js.publish(names.subject('key', to.number), text)));
    return;
  }
  // Of two outcomes of one task the server keeps the first.
  const msgID = `${to.client}.${to.number}`;
  yield* link.attempt((session) =>
    session.during(session.js.publish(names.subject('result', to.client, to.number), text, { msgID })),
  );
}

function encodable(outcome: Outcome, maxPayload: number): string {
  try {
    return encodeOutcome(outcome, maxPayload);
  } catch (error) {
    const message = `the task has ended, but ${(error as Error).message}`;
    return encodeOutcome({ attempt: outcome.attempt, result: { kind: 'unsendable', message } }, maxPayload);
  }
}

/** Put a message among the dead letters, as it came, with the reason. */
export function* bury(
  link: NatsLink,
  names: QueueNames,
  delivery: Delivery,
  attempts: number,
  reason: string,
): Op<void> {
  const written = headers();
  // A header is one line of ASCII.
  written.set(reasonHeader, reason.replace(/[^\x20-\x7e]/g, '?').slice(0, 400));
  written.set(attemptsHeader, String(attempts));
  const tokens = delivery.subject.split('.').slice(3);
  const subject = names.subject('dead', ...(tokens.length > 0 ? tokens : ['unknown']));
  const data = delivery.data.subarray(0, link.maxPayload - headroomBytes);
  const msgID = `${delivery.sequence}.${attempts}`;
  yield* link.attempt((session) => session.during(session.js.publish(subject, data, { headers: written, msgID })));
}
