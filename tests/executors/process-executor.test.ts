// process-executor.test.ts: the executor over child processes passes what every executor passes. What is its own: process-workers.test.ts.
import { ProcessExecutor } from 'tendril/executors/processes';
import { conformance, isolatedConformance } from './conformance.ts';
import { brokenModule, execArgv } from './local-fixtures.ts';

const fixture = {
  kind: 'ProcessExecutor',
  *make(size: number, options?: object) {
    return new ProcessExecutor(size, { execArgv, ...options });
  },
  copies: true,
  places: true,
};

conformance(fixture);
isolatedConformance({ ...fixture, brokenModule });
