// model-locks.ts: plain models of a lock with one owner and of a read-write lock. What they say is what is thrown, or what has happened.
import { Line, type Player, type Stage } from './stage.ts';

export const DEADLOCK = 'ERR_DEADLOCK';
export const NOT_OWNER = 'ERR_NOT_OWNER';

/** Whom each player waits for, if it waits for just one: what cycles are made of. */
export type WaitsFor = Map<Player, () => Player | undefined>;

export interface ModelLock {
  take(player: Player, side: Side): boolean;
  /** Would it wait for itself? */
  obstructed(player: Player, side: Side): boolean;
  enlist(player: Player, side: Side): () => void;
  release(player: Player, side: Side): string;
  blocker(side: Side): Player | undefined;
  /** Release all that `player` holds of it. */
  releaseAll(player: Player): void;
  /** What can be seen from outside. */
  seen(): unknown;
}

export type Side = 'read' | 'write';

export class ModelOwnedLock implements ModelLock {
  owner: Player | undefined;
  depth = 0;
  readonly line = new Line<{ player: Player }>();
  readonly #stage: Stage;
  readonly reentrant: boolean;
  constructor(stage: Stage, reentrant: boolean) {
    this.#stage = stage;
    this.reentrant = reentrant;
  }

  take(player: Player): boolean {
    if (this.owner !== undefined && !(this.reentrant && this.owner === player)) return false;
    this.owner = player;
    this.depth += 1;
    return true;
  }

  obstructed(player: Player): boolean {
    return this.owner === player;
  }

  enlist(player: Player): () => void {
    return this.line.push({ player });
  }

  release(player: Player): string {
    if (this.owner !== player) return NOT_OWNER;
    this.depth -= 1;
    if (this.depth > 0) return 'released';
    const next = this.line.shift();
    this.owner = next?.player;
    if (next === undefined) return 'released';
    this.depth = 1;
    this.#stage.commit(next.player, 'acquired');
    return 'released';
  }

  /** However often it was taken; how often that was. */
  releaseAll(player: Player): number {
    const { depth } = this;
    if (this.owner !== player) return 0;
    this.depth = 1;
    this.release(player);
    return depth;
  }

  blocker(): Player | undefined {
    return this.owner;
  }

  seen(): unknown {
    return [this.owner !== undefined, this.line.size, this.reentrant ? this.depth : undefined];
  }
}

export class ModelRWLock implements ModelLock {
  writer: Player | undefined;
  readonly readers = new Map<Player, number>();
  readonly line = new Line<{ player: Player; side: Side }>();
  readonly #stage: Stage;
  constructor(stage: Stage) {
    this.#stage = stage;
  }

  take(player: Player, side: Side): boolean {
    const depth = this.readers.get(player);
    if (side === 'read' && depth !== undefined) {
      this.readers.set(player, depth + 1);
      return true;
    }
    if (!this.#open(side) || this.line.size > 0) return false;
    this.#grant(player, side);
    return true;
  }

  obstructed(player: Player, side: Side): boolean {
    return this.writer === player || (side === 'write' && this.readers.has(player));
  }

  enlist(player: Player, side: Side): () => void {
    const remove = this.line.push({ player, side });
    return () => {
      remove();
      this.#admit();
    };
  }

  release(player: Player, side: Side): string {
    if (side === 'write') {
      if (this.writer !== player) return NOT_OWNER;
      this.writer = undefined;
    } else {
      const depth = this.readers.get(player);
      if (depth === undefined) return NOT_OWNER;
      if (depth > 1) {
        this.readers.set(player, depth - 1);
        return 'released';
      }
      this.readers.delete(player);
    }
    this.#admit();
    return 'released';
  }

  releaseAll(player: Player): void {
    if (this.writer === player) this.release(player, 'write');
    while (this.readers.has(player)) this.release(player, 'read');
  }

  blocker(side: Side): Player | undefined {
    if (this.writer !== undefined) return this.writer;
    if (side === 'read') return this.line.head?.player;
    return this.readers.size === 1 ? this.readers.keys().next().value : undefined;
  }

  seen(): unknown {
    return [this.writer !== undefined, this.readers.size, this.line.size];
  }

  #open(side: Side): boolean {
    return this.writer === undefined && (side === 'read' || this.readers.size === 0);
  }

  #grant(player: Player, side: Side): void {
    if (side === 'write') this.writer = player;
    else this.readers.set(player, 1);
  }

  #admit(): void {
    for (let first = this.line.head; first !== undefined && this.#open(first.side); first = this.line.head) {
      this.line.shift();
      this.#grant(first.player, first.side);
      this.#stage.commit(first.player, 'acquired');
    }
  }
}
