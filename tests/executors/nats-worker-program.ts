// nats-worker-program.ts: a worker in a process of its own: node --import tsx nats-worker-program.ts SERVER QUEUE CONCURRENCY ACK_WAIT_MS
import { main } from 'tendril';
import { serveTasks } from 'tendril/executors/nats';
import { tasks } from './nats-tasks.ts';

const [servers, queue, concurrency, ackWaitMs] = process.argv.slice(2) as [string, string, string, string];

main(() => serveTasks(tasks, { servers, queue, concurrency: Number(concurrency), ackWaitMs: Number(ackWaitMs) }));
