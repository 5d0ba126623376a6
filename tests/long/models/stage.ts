// stage.ts: a plain model of who runs when, without generators, in which the models of the primitives are played.
//
// A player is what an actor's greenlet is expected to be. What waits is committed, retracted or timed out at one moment and runs later, in the
// order in which that happened: the agenda is the run queue (S12). Time passes as S8 says: who sleeps is woken first, then everybody runs, then
// timeouts expire.

/** One thing that an actor is asked to do. */
export interface Deed {
  /** Is it a blocking point, where a kill or a throw is delivered? */
  readonly waits: boolean;
  /** What happens at once; undefined if the player waits from now on, with `retract` set. */
  model(player: Player): string | undefined;
}

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly kind: 'sleep' | 'timeout';
  due(): void;
}

export class Player {
  state: 'new' | 'queued' | 'idle' | 'waiting' | 'gone' = 'new';
  killed = false;
  /** Errors from throw() that were not delivered yet. */
  thrown = 0;
  deed: Deed | undefined = undefined;
  /** What was committed while it waited. */
  outcome: string | undefined = undefined;
  /** Its wait was taken back. */
  retracted = false;
  /** Take it out of where it waits. */
  retract: () => void = () => {};
  timer: Timer | undefined = undefined;
  /** A kill cannot get at it now. */
  masked = false;
  /** The timer of a frame around the whole deed, and whether it has expired. */
  frameTimer: Timer | undefined = undefined;
  frameExpired = false;
  /** Called instead of ending the deed when it runs again: deeds of several waits. */
  onward: ((outcome: string) => string | undefined) | undefined = undefined;
  readonly slot: number;
  constructor(slot: number) {
    this.slot = slot;
  }
}

export class Stage {
  nowMs = 0;
  /** What each did, in order. */
  readonly log: string[] = [];
  readonly agenda: (Player | (() => void))[] = [];
  timers: Timer[] = [];
  /** What a player's end does, at once. */
  ended: (player: Player) => void = () => {};
  #armed = 0;

  /** A player's wait has happened: it runs when its turn comes. */
  commit(player: Player, outcome: string): void {
    this.#leaveWait(player);
    player.outcome = outcome;
    this.agenda.push(player);
  }

  /** As `commit`, and it runs before all others. */
  commitFirst(player: Player, outcome: string): void {
    this.commit(player, outcome);
    this.agenda.unshift(this.agenda.pop() as Player);
  }

  /** The deed of the running player has happened, and others run before it goes on. */
  giveWay(player: Player, outcome: string): undefined {
    player.state = 'queued';
    player.outcome = outcome;
    this.agenda.push(player);
    return undefined;
  }

  /** From now on `player` waits: `retract` undoes what it enlisted with. */
  wait(player: Player, retract: () => void, withinMs?: number): undefined {
    player.state = 'waiting';
    player.retract = retract;
    if (withinMs !== undefined) {
      player.timer = this.arm('timeout', withinMs, () => {
        player.retract();
        this.commit(player, 'expired');
      });
    }
    return undefined;
  }

  /** From now on until it has told what became of its deed, `player` is in a timeout that is no single wait. */
  limit(player: Player, withinMs: number | undefined): void {
    if (withinMs === undefined) return;
    player.frameTimer = this.arm('timeout', withinMs, () => {
      player.frameExpired = true;
      if (player.state === 'waiting' && !player.masked) this.#takeBack(player);
    });
  }

  /** At a blocking point: what is thrown there, if anything is. */
  pending(player: Player): string | undefined {
    const isPending = (!player.masked && (player.killed || player.frameExpired)) || player.thrown > 0;
    return isPending ? this.#delivered(player) : undefined;
  }

  arm(kind: 'sleep' | 'timeout', delayMs: number, due: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, order: this.#armed++, kind, due };
    this.timers.push(timer);
    return timer;
  }

  disarm(timer: Timer): void {
    this.timers = this.timers.filter((other) => other !== timer);
  }

  kill(player: Player): void {
    if (player.killed || player.state === 'gone') return;
    player.killed = true;
    if (player.state === 'new') player.state = 'gone';
    else if (player.state === 'idle') this.#queue(player);
    else if (player.state === 'waiting' && !player.masked) this.#takeBack(player);
  }

  /** Throw an error into a player that is in the middle of a deed; the others would only swallow it. */
  throw(player: Player): boolean {
    if (player.killed || (player.state !== 'waiting' && player.state !== 'queued')) return false;
    player.thrown += 1;
    if (player.state === 'waiting') this.#takeBack(player);
    return true;
  }

  /** Let everybody run until all wait. */
  run(): void {
    for (let next = this.agenda.shift(); next !== undefined; next = this.agenda.shift()) {
      if (typeof next === 'function') next();
      else if (next.state !== 'gone') this.#step(next);
    }
  }

  /** Let `ms` pass. */
  advance(ms: number): void {
    this.run();
    const targetMs = this.nowMs + ms;
    for (;;) {
      const atMs = Math.min(...this.timers.map((timer) => timer.atMs));
      if (atMs > targetMs) break;
      this.nowMs = atMs;
      for (const kind of ['sleep', 'timeout'] as const) {
        for (let due = this.#due(kind); due !== undefined; due = this.#due(kind)) {
          this.disarm(due);
          due.due();
        }
        this.run();
      }
    }
    this.nowMs = targetMs;
  }

  #due(kind: Timer['kind']): Timer | undefined {
    const [first] = this.timers
      .filter((timer) => timer.kind === kind && timer.atMs <= this.nowMs)
      .sort((a, b) => a.atMs - b.atMs || a.order - b.order);
    return first;
  }

  #step(player: Player): void {
    let outcome: string | undefined;
    const { onward } = player;
    if (player.outcome !== undefined) {
      outcome = player.outcome;
      player.outcome = undefined;
    } else if (player.retracted) {
      player.retracted = false;
      outcome = this.#delivered(player);
    }
    player.onward = undefined;
    if (outcome !== undefined && onward !== undefined) {
      outcome = onward(outcome);
      if (outcome === undefined) return;
    }
    if (outcome !== undefined) this.#tell(player, outcome);
    if (player.deed !== undefined && outcome !== 'killed') {
      const { deed } = player;
      player.deed = undefined;
      const told = (deed.waits ? this.pending(player) : undefined) ?? deed.model(player);
      if (told === undefined) return;
      this.#tell(player, told);
    }
    player.thrown = 0;
    if (!player.killed) {
      player.state = 'idle';
      return;
    }
    player.state = 'gone';
    this.ended(player);
  }

  #delivered(player: Player): string {
    if (!player.masked && player.killed) return 'killed';
    if (!player.masked && player.frameExpired) return 'expired';
    player.thrown -= 1;
    return 'thrown';
  }

  #tell(player: Player, outcome: string): void {
    if (player.frameTimer !== undefined) this.disarm(player.frameTimer);
    player.frameTimer = undefined;
    player.frameExpired = false;
    this.log.push(`${player.slot}: ${outcome}`);
  }

  #takeBack(player: Player): void {
    player.retract();
    this.#leaveWait(player);
    player.retracted = true;
    this.agenda.push(player);
  }

  #queue(player: Player): void {
    player.state = 'queued';
    this.agenda.push(player);
  }

  #leaveWait(player: Player): void {
    if (player.timer !== undefined) this.disarm(player.timer);
    player.timer = undefined;
    player.state = 'queued';
  }
}

/** A line of players, oldest first, each with what it waits with. */
export class Line<E extends { readonly player: Player }> {
  entries: E[] = [];

  get size(): number {
    return this.entries.length;
  }

  get head(): E | undefined {
    return this.entries[0];
  }

  /** Enter `entry`; what is returned takes it out again. */
  push(entry: E): () => void {
    this.entries.push(entry);
    return () => this.remove(entry);
  }

  shift(): E | undefined {
    return this.entries.shift();
  }

  remove(entry: E): void {
    this.entries = this.entries.filter((other) => other !== entry);
  }
}
