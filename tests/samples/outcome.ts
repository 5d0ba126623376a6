// outcome.ts: what becomes of an Op, as a value that a test can compare.
import { type Op, run, timeout } from 'tendril';

export const codeOf = (error: unknown): string => (error as { code?: string }).code ?? String(error);

/** What `op` returns, or the code of the error that it throws. */
export function* outcomeOf<T>(op: Op<T>): Op<T | string> {
  try {
    return yield* op;
  } catch (error) {
    return codeOf(error);
  }
}

/** Run `body` with the client that `open` gives, and close that afterwards. */
export function withClient<C extends { close(): void }, T>(open: () => Op<C>, body: (client: C) => Op<T>): Promise<T> {
  return run(function* test(): Op<T> {
    const client = yield* open();
    try {
      return yield* timeout(20_000, body(client));
    } finally {
      client.close();
    }
  });
}
