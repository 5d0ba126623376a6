// plain.mjs: a user without TypeScript: every entry point loads from the tarball, and a greenlet gets its answer.
import * as tendril from 'tendril';
import * as components from 'tendril/components';
import * as core from 'tendril/core';
import * as eslint from 'tendril/eslint';
import * as executors from 'tendril/executors';
import * as channels from 'tendril/executors/channels';
import * as manager from 'tendril/executors/manager';
import * as processes from 'tendril/executors/processes';
import * as shared from 'tendril/executors/shared';
import * as patches from 'tendril/patches';
import * as testing from 'tendril/testing';

const modules = { tendril, core, eslint, testing, components, executors, channels, manager, processes, shared };
const counts = Object.entries(modules).map(([name, module]) => [name, Object.keys(module).length]);
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
