// nats-client-program.ts: a program that waits for a remote task by a promise alone, and does not shut its executor down: node --import tsx nats-client-program.ts SERVER QUEUE
import { run } from 'tendril';
import { RemoteExecutor } from 'tendril/executors/nats';
import { tasks } from './nats-tasks.ts';

const [servers, queue] = process.argv.slice(2) as [string, string];

const executor = await run(() => RemoteExecutor.connect({ servers, queue }));
void executor
  .submit(tasks.double, 21, 300, '/dev/null')
  .promise()
  .then((result) => console.log(`result: ${result}`));
process.once('exit', () => console.log('exit'));
