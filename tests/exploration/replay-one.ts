// replay-one.ts: repeat one run of one bug in this process, and print how it ended: `tsx replay-one.ts <name> <token>`.
import { replay } from 'tendril/testing';
import { BUGS } from './bugs.ts';

const [name, token] = process.argv.slice(2);
const bug = BUGS.find((one) => one.name === name);
if (bug === undefined || token === undefined) throw new Error('which bug, and which token?');
const ended = await replay(token, bug.body).then(
  () => 'no failure',
  (error: unknown) => (error instanceof Error ? (error.message.split('\n', 1)[0] as string) : String(error)),
);
console.log(ended);
