// plain.mjs: a user without TypeScript: every entry point loads from the tarball, and a greenlet gets its answer.
import * as tendril from 'tendril';
import * as core from 'tendril/core';
import * as eslint from 'tendril/eslint';
import * as patches from 'tendril/patches';
import * as testing from 'tendril/testing';

const counts = Object.entries({ tendril, core, eslint, testing }).map(([name, module]) => [
  name,
  Object.keys(module).length,
]);
if (counts.some(([, count]) => count === 0)) throw new Error(`an entry point exports nothing: ${counts.join(' ')}`);
if (tendril.Channel !== core.Channel) throw new Error('tendril and tendril/core hold two kernels');
if (typeof patches !== 'object') throw new Error('tendril/patches does not load');

const { Channel, run, sleep, spawn } = tendril;
const answer = await run(function* () {
  const words = new Channel();
  spawn(function* () {
    yield* sleep(1);
    yield* words.send('sent and received');
  });
  return yield* words.receive();
});
console.log(answer);
