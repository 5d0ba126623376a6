// programs.test.ts: each sample that needs no service prints what it is meant to print, and ends by itself.
import { describe, expect, it } from 'vitest';
import { runSample } from './run-sample.ts';

const printed: Readonly<Record<string, string>> = {
  'producer-consumer': `
Ada put out loaf 1
Ada put out loaf 2
Ada put out loaf 3
Ada put out loaf 4
Ben put out loaf 1
  Cleo took loaf 1 of Ada
  Dan took loaf 2 of Ada
  Eve took loaf 3 of Ada
  Cleo took loaf 4 of Ada
  Dan took loaf 1 of Ben
  Eve took loaf 2 of Ben
Ben put out loaf 2
Ben put out loaf 3
  Cleo took loaf 3 of Ben
Cleo bought 3
Dan bought 2
Eve bought 2
`,
  'ping-pong': `
ping 6
     pong 5
ping 4
     pong 3
ping 2
     pong 1
ping 0
passed by 1000 greenlets
`,
  'select-fan-in': `
inside: 20 degrees
outside: 7 degrees
inside: 21 degrees
outside: 9 degrees
still here, 4 readings so far
inside: 22 degrees
in the evening: 5 readings
`,
  timeouts: `
in time
  tea: done with waiting
  tea
too late
  coffee: done with waiting
  ERR_TIMEOUT: timed out after 20 ms
a default in place of an error
  no order
a limit within a limit
  attempt 1: done with waiting
  attempt 1: timed out after 100 ms
  attempt 2: done with waiting
  attempt 2: timed out after 100 ms
  attempt 3: done with waiting
  the outer one
`,
  'kill-and-cleanup': `
one guest sits, one waits, both are sent home
  Ada: seated
  Ada: pays no attention
  Ada: said goodbye
  killed: true,true, seats free again: 1
a failure ends everything in its scope
  Cleo: seated
  Cleo: pays no attention
  Cleo: said goodbye
  the kitchen is on fire; seats free again: 1
`,
  'echo-server': `
I am Ada, and this is binary: 🍞 The end.
I am Ben, and this is binary: 🍞 The end.
I am Cleo, and this is binary: 🍞 The end.
served 3 connections
`,
  'chat-server': `
Ada reads: * Ada is here, that makes 1
Ben reads: * Ben is here, that makes 2
Ada reads: * Ben is here, that makes 2
Ada reads: Ben: hello
Ada reads: Ben: anybody here?
Ben reads: Ada: only the two of us
Ada reads: * Ben has left
`,
  crawler: `
29 pages
/17: ERR_TIMEOUT
/30: HTTP 500
/5: HTTP 500
`,
};

describe('A sample', () => {
  it.for(Object.entries(printed))(
    'prints what it is meant to print: %s',
    { timeout: 40_000 },
    async ([name, lines]) => {
      const ending = await runSample(name);
      expect(ending).toEqual({ status: 0, stdout: lines.slice(1), stderr: '' });
    },
  );
});
