// typed.ts: a user with TypeScript in strict mode who checks the declarations too.
//
// Compiled and run against the tarball.
import { Channel, type Greenlet, type Op, run, spawn } from 'tendril';
import * as components from 'tendril/components';
import * as core from 'tendril/core';
import { defineTasks, type Executor, type Future, GreenletExecutor } from 'tendril/executors';
import * as channels from 'tendril/executors/channels';
import * as manager from 'tendril/executors/manager';
import * as processes from 'tendril/executors/processes';
import * as shared from 'tendril/executors/shared';
import * as patches from 'tendril/patches';
import * as testing from 'tendril/testing';

function* producer(numbers: Channel<number>, count: number): Op<string> {
  for (let i = 1; i <= count; i += 1) yield* numbers.send(i);
  numbers.close();
  return 'done';
}

const total: number = await run(function* () {
  const numbers = new Channel<number>(2);
  const greenlet: Greenlet<string> = spawn(producer, numbers, 4);
  let sum = 0;
  for (let i = 0; i < 4; i += 1) sum += yield* numbers.receive();
  const word: string = yield* greenlet.get();
  return word === 'done' ? sum : 0;
});

if (total !== 10) throw new Error(`expected 10, got ${total}`);
const tasks = defineTasks(import.meta.url, { double: (x: number): number => 2 * x });
const executor: Executor = new GreenletExecutor(1);
const doubled: Future<number> = executor.submit(tasks.double, 21);
if ((await doubled.promise()) !== 42) throw new Error('a task gave something else');
for (const module of [components, channels, manager, processes, shared])
  if (Object.keys(module).length === 0) throw new Error('an entry point exports nothing');

if (core.Channel !== Channel) throw new Error('tendril and tendril/core hold two kernels');
console.log(`typed: ${total}, ${typeof testing}, ${typeof patches}`);
