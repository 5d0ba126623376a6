// subjects.ts: every case there is, by subject.
import type { Case } from './case.ts';
import { accepting } from './cases-accept.ts';
import { addressing } from './cases-address.ts';
import { connecting } from './cases-connect.ts';
import { endingCases } from './cases-end.ts';
import { closingGracefully } from './cases-graceful.ts';
import { killing } from './cases-kill.ts';
import { readingLines } from './cases-lines.ts';
import { reading } from './cases-read.ts';
import { resetting } from './cases-reset.ts';
import { selecting } from './cases-select.ts';
import { servingCases } from './cases-serve.ts';
import { stopping } from './cases-stop.ts';
import { writing } from './cases-write.ts';
import type { Ground } from './ground.ts';

export const subjects: Readonly<Record<string, readonly Case[]>> = {
  Connecting: connecting,
  Addresses: addressing,
  Accepting: accepting,
  Reading: reading,
  'Reading lines': readingLines,
  Writing: writing,
  Ending: endingCases,
  'Closing with care': closingGracefully,
  Resetting: resetting,
  'Giving up': killing,
  Selecting: selecting,
  Serving: servingCases,
  Stopping: stopping,
};

export const cases: readonly Case[] = Object.values(subjects).flat();

/** Why there is no such thing on `ground`; undefined if there is. */
export function reasonAgainst({ absent }: Case, { name, kind }: Ground): string | undefined {
  return absent[name] ?? absent[kind];
}
