// mutants.ts: bugs that our properties have to find: each is one small change of a source file, made in a copy (mutated-copy.ts) and nowhere else.
//
// `find` is text that occurs exactly once in `file`; a test holds that, so that a change of the kernel cannot quietly switch a mutant off.

export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Where the properties are that should find it. */
  readonly table: 'kernel' | 'network';
  /** Their names, the likeliest first. */
  readonly properties: readonly string[];
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'retract dropped',
    table: 'kernel',
    file: 'core/frame.ts',
    find: 'greenlet.waitingOn?.retract(greenlet);',
    replace: '',
    properties: [
      'a channel keeps no value of a killed sender and takes none for a killed receiver',
      'receivers are served in the order in which they came, without those that were killed',
    ],
  },
  {
    name: 'retract after the winner ran',
    table: 'kernel',
    file: 'core/select.ts',
    find: '      this.retractAllBut(arm.index);\n',
    replace: '      waiter.owner().scope.scheduler.atTurnEnd(() => this.retractAllBut(arm.index));\n',
    properties: [
      'the arms that lost are in no list any more when the winner goes on',
      'a select that receives takes one value, and the other channel keeps its own',
    ],
  },
  {
    name: 'double wake',
    table: 'kernel',
    file: 'core/timeout.ts',
    find: '    this.owner().scope.scheduler.timeouts.cancel(this);\n',
    // The timer of a timed wait that has ended goes on, and wakes its greenlet a second time.
    replace: '',
    properties: [
      'a timeout around a send or a receive has happened or has not, and loses nothing',
      'permits plus holders is the number of permits, whoever is killed or times out',
    ],
  },
  {
    name: 'stale wake accepted',
    table: 'kernel',
    file: 'core/external.ts',
    find: '  retract(): void {\n    this.#waiter = undefined;\n',
    replace: '  retract(): void {\n',
    properties: ['an answer of the host that comes when nobody waits for it any more wakes nobody'],
  },
  {
    name: 'kill overrides commit',
    table: 'kernel',
    file: 'core/frame.ts',
    find: '(greenlet.status & (READY | YIELDED)) === (READY | YIELDED)',
    replace: '(greenlet.status & READY) !== 0',
    properties: [
      'an Op that throws Killed has not happened, and one that has happened returns',
      'a channel loses, doubles and reorders nothing, whoever is killed',
    ],
  },
  {
    name: 'commit after kill delivered',
    table: 'kernel',
    file: 'core/leaf.ts',
    find: '  const urgent = checkStart(me, () => describeOp(op.describe()));\n',
    replace:
      '  if ((me.status & (STATE | ATTENTION)) === (RUNNING | ATTENTION)) op.look(me);\n  const urgent = checkStart(me, () => describeOp(op.describe()));\n',
    properties: [
      'a channel loses, doubles and reorders nothing, whoever is killed',
      'a select that receives takes one value, and the other channel keeps its own',
    ],
  },
  {
    name: 'LIFO wake',
    table: 'kernel',
    file: 'core/wait-list.ts',
    find: '  shift(): Waiter | undefined {\n',
    replace:
      '  shift(): Waiter | undefined {\n    const { tail } = this;\n    if (tail !== undefined) this.remove(tail);\n    return tail;\n  }\n\n  shiftOldest(): Waiter | undefined {\n',
    properties: ['receivers are served in the order in which they came, without those that were killed'],
  },
  {
    name: 'missed wake on close',
    table: 'kernel',
    file: 'core/channel.ts',
    find: "    this.receivers.fireAll(() => new ChannelClosedError(this, this.label(), 'receive'), LAZY);\n",
    replace: '',
    properties: ['a channel that is closed gives out what is in it and tells everybody else'],
  },
  {
    name: 'buffered item lost on close',
    table: 'kernel',
    file: 'core/channel.ts',
    find: '    this.#closed = true;\n',
    replace: '    this.#closed = true;\n    if (this.buffered.size > 0) this.buffered.shift();\n',
    properties: ['a channel that is closed gives out what is in it and tells everybody else'],
  },
  {
    name: "sender's value kept after kill",
    table: 'kernel',
    file: 'core/channel-waits.ts',
    find: '    this.channel.senders.remove(waiter);\n',
    replace: '    this.channel.senders.remove(waiter);\n    this.channel.buffered.push(this.#value);\n',
    properties: ['a channel loses, doubles and reorders nothing, whoever is killed'],
  },
  {
    name: "receiver's value re-queued",
    table: 'kernel',
    file: 'core/channel.ts',
    find: '      if (this.#plain) receiver.fire(value, 0);\n',
    replace: `      if (this.#plain) {
        receiver.fire(value, 0);
        const owner = receiver.owner();
        const { parks } = owner;
        const kill = owner.kill.bind(owner);
        owner.kill = (reason) => {
          if (owner.parks === parks && owner.state === 'ready') this.buffered.push(value);
          return kill(reason);
        };
      }
`,
    properties: ['a channel loses, doubles and reorders nothing, whoever is killed'],
  },
  {
    name: 'budget off',
    table: 'kernel',
    file: 'core/kernel.ts',
    find: 'export const STEP_BUDGET: number = 256;',
    replace: 'export const STEP_BUDGET: number = Number.POSITIVE_INFINITY;',
    properties: ['a greenlet that never has to wait gives way all the same'],
  },
  {
    name: 'timer never fires',
    table: 'kernel',
    file: 'core/scheduler.ts',
    find: '      this.#wakeAtMs <= nowMs\n',
    replace: '      false\n',
    properties: ['a sleep ends when its time has come: not before, and in the order of the deadlines'],
  },
  {
    name: 'timer fires early',
    table: 'kernel',
    file: 'core/timers.ts',
    find: '(this.#keys[0] as number) <= nowMs',
    replace: '(this.#keys[0] as number) <= nowMs + 1',
    properties: ['a sleep ends when its time has come: not before, and in the order of the deadlines'],
  },
  {
    name: 'timeout expires before the slice',
    table: 'kernel',
    file: 'core/scheduler.ts',
    find: '      this.#slice(startMs);\n',
    replace: '      this.timeouts.fireDue(startMs);\n      this.#slice(startMs);\n',
    properties: ['what happens by the deadline is in time, however many steps it takes then'],
  },
  {
    name: 'inner catch steals the outer timeout',
    table: 'kernel',
    file: 'core/leaf.ts',
    find: '  const killed = new Killed(frame, frame.reason);\n',
    replace: `  const killed = new Killed(frame, frame.reason);
  if (frame.kind === 'timeout') {
    side.interrupt = undefined;
    attentionChanged(me);
  }
`,
    properties: ['no catch inside a timeout steals it: once it has expired every Op in it throws'],
  },
  {
    name: 'shield masks inner timeouts',
    table: 'kernel',
    file: 'core/frame.ts',
    find: '  let masked = false;\n',
    replace:
      '  let masked = false;\n  for (let frame = greenlet.frame; frame !== undefined; frame = frame.outer) masked ||= frame.masks();\n',
    properties: ['a shield masks what is outside it and nothing inside it'],
  },
  {
    name: 'scope forgets a child',
    table: 'kernel',
    file: 'core/scope.ts',
    find: '    while (this.size > 0) {\n',
    replace: '    while (this.size > 1) {\n',
    properties: ['a scope ends after all of its children, whatever fails and whoever is killed'],
  },
  {
    name: 'dying scope spawns live',
    table: 'kernel',
    file: 'core/scope.ts',
    find: "    if (this.state === 'dying') child.kill('its scope is dying');\n",
    replace: '',
    properties: ['in a dying scope nothing comes to life'],
  },
  {
    name: 'semaphore permit lost on kill',
    table: 'kernel',
    file: 'core/semaphore.ts',
    find: '    else waiter.fire(undefined, 0);\n',
    // As if the greenlet had given way by itself: a kill before it runs makes the acquire throw, and the permit is nobody's.
    replace: '    else {\n      waiter.fire(undefined, 0);\n      waiter.owner().status |= 1 << 12;\n    }\n',
    properties: ['permits plus holders is the number of permits, whoever is killed or times out'],
  },
  {
    name: 'mutex barging',
    table: 'kernel',
    file: 'core/exclusive-lock.ts',
    find: '    const waiter = this.waiters.shift();\n    if (waiter === undefined) return;\n    this.own(waiter.owner());\n    waiter.fire(undefined, 0);\n',
    // Free until the end of the turn: whoever runs before that can take it from under those who wait.
    replace: `    if (this.waiters.size === 0) return;
    kernel.current.scope.scheduler.atTurnEnd(() => {
      if (this.owner !== undefined) return;
      const waiter = this.waiters.shift();
      if (waiter === undefined) return;
      this.own(waiter.owner());
      waiter.fire(undefined, 0);
    });
`,
    properties: ['a mutex goes to the oldest waiter: nobody who comes later takes it from under them'],
  },
  {
    name: 'condition wakes two',
    table: 'kernel',
    file: 'core/condition.ts',
    find: 'for (let left = count; left > 0; left -= 1) {',
    replace: 'for (let left = count; left >= 0; left -= 1) {',
    properties: ['a notification wakes one waiter, and none is lost to a kill'],
  },
  {
    name: 'pool slot leaked on kill',
    table: 'kernel',
    file: 'core/members.ts',
    find: '      this.left(); // born killed, in a scope that is dying\n',
    replace: '',
    properties: [
      'map gives results in order, or one error and no children, and all places back',
      'a pool keeps its count when a dying map gives its place back unused',
    ],
  },
  {
    name: 'short read treated as whole',
    table: 'network',
    file: 'io/reads.ts',
    find: '    if (buffer.size < this.need) return ended ? REFUSED : MORE;\n    result.value = buffer.take(this.need);\n',
    replace:
      '    if (buffer.size === 0) return ended ? REFUSED : MORE;\n    result.value = buffer.take(Math.min(buffer.size, this.need));\n',
    properties: ['framed messages come whole and in order, however they are cut and whoever is killed while reading'],
  },
  {
    name: 'reply shifted after a killed command',
    table: 'network',
    file: 'samples/redis/pipeline.ts',
    find: '      const pending = this.#queue[this.#head];\n',
    replace: `      while (this.#queue[this.#head]?.waiters.size === 0) this.#shift();
      const pending = this.#queue[this.#head];
`,
    properties: ['each greenlet gets the reply to its own command, whoever is killed or times out'],
  },
];
