// case.ts: one socket behaviour: what is done, and what is seen. The words that cases are written in are here too.
//
// A case returns plain data. What it must be stands beside it, once for all grounds, so a difference between two grounds is a diff.
import { type Greenlet, type Op, type Socket, sleep, spawn } from 'tendril';
import type { GroundName, PairOptions, Place, Role } from './ground.ts';

export interface Case {
  readonly title: string;
  /** What `body` returns, on every ground. */
  readonly expected: unknown;
  readonly body: (place: Place) => Op<unknown>;
  /** The kinds of address, or the grounds, on which there is no such thing, and why. */
  readonly absent: Absent;
}

export type Absent = Readonly<Partial<Record<GroundName, string>>>;

/** A case that opens what it needs by itself. */
export function placeCase(
  title: string,
  expected: unknown,
  body: (place: Place) => Op<unknown>,
  absent: Absent = {},
): Case {
  return { title, expected, body, absent };
}

type PairBody = (near: Socket, far: Socket, place: Place) => Op<unknown>;

/** A case with a connection. It is run twice, so that each end is once the one that connected and once the one that was accepted. */
export function pairCase(
  title: string,
  expected: unknown,
  body: PairBody,
  options: PairOptions & { readonly absent?: Absent } = {},
): Case {
  return {
    title,
    expected: { connected: expected, accepted: expected },
    absent: options.absent ?? {},
    *body(place) {
      const seen: Record<Role, unknown> = { connected: undefined, accepted: undefined };
      for (const role of ['connected', 'accepted'] as const) {
        const { near, far } = yield* place.pair(role, options);
        seen[role] = yield* body(near, far, place);
        near.close();
        far.close();
      }
      return seen;
    },
  };
}

/** Name and code of an error. */
export function told(error: unknown): string {
  const { name, code } = error as { name: string; code?: string };
  return code === undefined ? name : `${name} ${code}`;
}

/** The error that `op` throws. */
export function* thrown(op: Op<unknown>): Op<Error> {
  let value: unknown;
  try {
    value = yield* op;
  } catch (error) {
    return error as Error;
  }
  throw new Error(`it did not throw, it returned ${String(value)}`);
}

/** Name and code of the error that `op` throws; 'ok' if it does not. */
export function* ending(op: Op<unknown>): Op<string> {
  try {
    yield* op;
    return 'ok';
  } catch (error) {
    return told(error);
  }
}

/** The error that a plain call throws, as `ending`. */
export function atCall(call: () => unknown): string {
  try {
    call();
    return 'ok';
  } catch (error) {
    return told(error);
  }
}

/** Spawn a body whose failure is looked at later, or not at all. */
export function start<T>(body: () => Op<T>): Greenlet<T> {
  const greenlet = spawn(body);
  greenlet.link(() => {});
  return greenlet;
}

/** Wait for something that can only be seen. */
export function* when(condition: () => boolean): Op<void> {
  while (!condition()) yield* sleep(1);
}

/** Wait until `greenlet` waits for something. */
export function parked(greenlet: Greenlet<unknown>): Op<void> {
  return when(() => greenlet.state === 'parked');
}

/** Spawn `body` and wait until it waits. */
export function* waiting<T>(body: () => Op<T>): Op<Greenlet<T>> {
  const greenlet = start(body);
  yield* parked(greenlet);
  return greenlet;
}

/** Write `data` and wait until the operating system has it. */
export function* send(socket: Socket, data: string | Uint8Array): Op<void> {
  yield* socket.write(data);
  yield* socket.flush();
}

/** Send `words`, to be heard by `hear`. */
export function say(socket: Socket, words: string): Op<void> {
  return send(socket, `${words}.`);
}

/** The words that were said, however they were cut on their way; null at the end. */
export function* hear(socket: Socket): Op<string | null> {
  return text(yield* socket.readUntil('.'));
}

export function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : bytes.toString();
}

/** Everything up to the peer's end, as text. */
export function* readToEnd(socket: Socket): Op<string> {
  const chunks: Buffer[] = [];
  for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
