// growth-connections.ts: Does a message cost the same beside ten connections as beside nine thousand?
//
// The echo of tcp-echo.ts, both ends in one process, one message on its way on each connection at a time. A connection takes two files here, so the
// curve ends where the usual limit of open files does.
//
// How to run: npm run bench -- --only 'growth: connections'

import { ours, type Row } from './contest.ts';
import { rawNet, tendril } from './tcp-echo.ts';

const shape =
  'A pass of the event loop is shared by as many messages as have come; thousands of sockets are in no cache. Raw net grows as much.';

function row(size: number): Row {
  return {
    name: `growth: connections, ${size.toLocaleString('en')}`,
    unit: 'ns',
    measure: 'each',
    better: 'lower',
    count: Math.ceil(40_000 / size) * size,
    curve: { of: 'connections', size, shape },
    answer: (count) => count,
    contestants: [tendril(ours, size, 5000), rawNet('net', size, false)],
    goals: [],
  };
}

export const rows: readonly Row[] = [10, 100, 1000, 9000].map(row);
