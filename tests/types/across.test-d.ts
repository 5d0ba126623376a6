// across.test-d.ts: the types of channels across, of shared state and of proxies, and what they must refuse.
import type { MessagePort } from 'node:worker_threads';
import { type Op, run, select, sleep, type Waitable } from 'tendril';
import { type ChannelEnd, type ChannelPort, channelPair, openChannel } from 'tendril/executors/channels';
import {
  connectManager,
  defineManaged,
  type Managed,
  type ManagedRef,
  Manager,
  refOf,
} from 'tendril/executors/manager';
import { SharedCounter, SharedMutex, SharedSemaphore } from 'tendril/executors/shared';
import { expectTypeOf } from 'vitest';

class Account {
  readonly owner: string;
  constructor(owner: string, _balance = 0) {
    this.owner = owner;
  }
  balance(): number {
    return 1;
  }
  *deposit(amount: number, _note?: string): Op<bigint> {
    yield* sleep(amount);
    return 1n;
  }
  async history(): Promise<string[]> {
    return [];
  }
  wait(): Waitable<void> {
    return sleep(1);
  }
  _hidden(): void {}
}
const bank = defineManaged('file:///bank.ts', { Account });

void run(function* () {
  const [jobs, far] = channelPair<string, number>({ capacity: 2 });
  expectTypeOf(jobs).toEqualTypeOf<ChannelEnd<string, number>>();
  expectTypeOf(far).toEqualTypeOf<ChannelPort<number, string>>();
  expectTypeOf(far.port).toEqualTypeOf<MessagePort>();
  expectTypeOf(openChannel(far)).toEqualTypeOf<ChannelEnd<number, string>>();
  expectTypeOf(yield* jobs.receive()).toEqualTypeOf<number>();
  yield* jobs.send('text');
  // @ts-expect-error a job is a string
  yield* jobs.send(5);
  const first = yield* select({ job: jobs.receive(), time: sleep(1) });
  if (first.key === 'job') expectTypeOf(first.value).toEqualTypeOf<number>();

  const lock = new SharedMutex();
  expectTypeOf(SharedMutex.from(lock.handle)).toEqualTypeOf<SharedMutex>();
  // @ts-expect-error it is the handle of something else
  SharedMutex.from(new SharedSemaphore().handle);
  expectTypeOf(yield* new SharedCounter().waitFor(0)).toEqualTypeOf<number>();

  const manager = yield* Manager.start(bank);
  const account = yield* manager.make('Account', 'me', 5);
  expectTypeOf(account).toEqualTypeOf<Managed<Account>>();
  expectTypeOf(yield* account.balance()).toEqualTypeOf<number>();
  expectTypeOf(yield* account.deposit(5, 'note')).toEqualTypeOf<bigint>();
  expectTypeOf(yield* account.history()).toEqualTypeOf<string[]>();
  expectTypeOf(account.wait()).toEqualTypeOf<Waitable<void>>();
  expectTypeOf<keyof typeof account>().toEqualTypeOf<'balance' | 'deposit' | 'history' | 'wait'>();
  // @ts-expect-error an account has an owner
  yield* manager.make('Account');
  // @ts-expect-error there is no such class
  yield* manager.make('Bank');
  // @ts-expect-error an amount is a number
  account.deposit('5');

  const ref = refOf(account);
  expectTypeOf(ref).toEqualTypeOf<ManagedRef<Managed<Account>>>();
  const client = yield* connectManager<typeof bank.classes>(manager.address);
  expectTypeOf(yield* client.attach(ref)).toEqualTypeOf<Managed<Account>>();
  const dict = yield* client.dict<string, number>();
  expectTypeOf(yield* dict.get('a')).toEqualTypeOf<number | undefined>();
  const queue = yield* client.queue<Date>();
  expectTypeOf(yield* queue.get()).toEqualTypeOf<Date>();
  const plain = yield* Manager.start();
  // @ts-expect-error without a definition there are the ready-made ones only
  yield* plain.make('Account', 'me');
});
