// greenlet-executor.test.ts: the executor over greenlets passes what every executor passes, and works in simulated time.
import { GreenletExecutor } from 'tendril/executors';
import { conformance } from './conformance.ts';

conformance({
  kind: 'GreenletExecutor',
  *make(size, options) {
    return new GreenletExecutor(size, options);
  },
  copies: false,
  places: true,
});
