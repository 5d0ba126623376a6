// executor-work.ts: what the workers of bench/executors.ts compute, as plain functions: the bare peers load these and nothing else.
import { createHash } from 'node:crypto';

/** Nothing. */
export function same(value: number): number {
  return value;
}

/** Some 100 microseconds. */
export function little(value: number): number {
  let digest = String(value);
  for (let i = 0; i < 60; i += 1) digest = createHash('sha256').update(digest).digest('hex');
  return digest.length === 64 ? value : -1;
}

/** Some 20 milliseconds. */
export function much(value: number): number {
  for (let i = 0; i < 200; i += 1) little(i);
  return value;
}

export const work: Readonly<Record<string, (value: number) => number>> = { same, little, much };
