// thread-executor.test.ts: the executor over threads passes what every executor passes. What is its own: thread-workers.test.ts.
import { ThreadExecutor } from 'tendril/executors/threads';
import { conformance, isolatedConformance } from './conformance.ts';
import { brokenModule, execArgv } from './local-fixtures.ts';

const fixture = {
  kind: 'ThreadExecutor',
  *make(size: number, options?: object) {
    return new ThreadExecutor(size, { execArgv, ...options });
  },
  copies: true,
  places: true,
};

conformance(fixture);
isolatedConformance({ ...fixture, brokenModule });
