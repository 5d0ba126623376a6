// explore-program.ts: explore properties in a process of its own; prints one line of JSON for each.
//
// Arguments: `kernel` or `network`; how many seeds; `first` to stop at the first that is broken, or `all`; and the names of the properties, all of them if there are none.
import { firstBreach } from './runs.ts';

/** What is printed of one property. */
export interface Explored {
  readonly name: string;
  /** How many runs were made, the one that broke it included. */
  readonly runs: number;
  /** Time of the processor: what it would have taken with nothing else running. */
  readonly cpuMs: number;
  /** How it was broken. */
  readonly broken?: string;
  /** The run that broke it, step by step, and how to repeat it. */
  readonly report?: string;
}

const [table = 'kernel', seeds = '10000', mode = 'all', ...names] = process.argv.slice(2);
const properties =
  table === 'kernel'
    ? (await import('./properties.ts')).PROPERTIES
    : (await import('./network-properties.ts')).NETWORK_PROPERTIES;
const usualLimit = Error.stackTraceLimit;
const wanted = names.length === 0 ? properties : names.map((name) => properties.find((each) => each.name === name));
for (const property of wanted) {
  if (property === undefined) throw new Error(`no such property: ${names.join(', ')}`);
  const before = process.cpuUsage();
  // Kills and timeouts make errors by the hundred thousand, and nobody looks at their stacks.
  Error.stackTraceLimit = 0;
  let breach = await firstBreach(property, Number(seeds));
  Error.stackTraceLimit = usualLimit;
  // The same runs again, to make the one that failed simple and see who waited where.
  if (breach !== undefined && mode === 'all') breach = (await firstBreach(property, breach.runs, 1000)) ?? breach;
  const { user, system } = process.cpuUsage(before);
  const cpuMs = Math.round((user + system) / 1000);
  const runs = breach?.runs ?? Number(seeds);
  const what = breach === undefined ? {} : { broken: textOf(breach.error), report: breach.report };
  console.log(JSON.stringify({ name: property.name, runs, cpuMs, ...what } satisfies Explored));
  if (breach !== undefined && mode === 'first') break;
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
