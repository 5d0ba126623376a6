// typed.ts: a user with TypeScript in strict mode who checks the declarations too.
//
// Compiled and run against the tarball.
import { Channel, type Greenlet, type Op, run, spawn } from 'tendril';
import * as core from 'tendril/core';
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
if (core.Channel !== Channel) throw new Error('tendril and tendril/core hold two kernels');
console.log(`typed: ${total}, ${typeof testing}, ${typeof patches}`);
