// session.ts: one connection of a simulated Redis: what it is logged in to, has queued, watches, is subscribed to, or is blocked in.
//
// Commands are carried out at once, one after the other, and in no time; while one blocks, those behind it wait. Nothing here waits: the connection's
// greenlets (server.ts) feed it bytes and send what it says.
//
// Invariants:
//   blocked is set   implies  it is in the life's list of blocked sessions, unless it is closed
//   queue is defined if and only if  MULTI was said, and neither EXEC nor DISCARD since

import type { Life, Watch } from './life.ts';
import {
  type Answer,
  CommandReader,
  Failure,
  NO_ARRAY,
  OK,
  type Protocol,
  Push,
  QUEUED,
  Status,
  wireOf,
} from './resp.ts';
import { Store } from './store.ts';

interface Blocked {
  readonly name: string;
  readonly keys: readonly string[];
  readonly forMs: number;
}

/** What may be said while subscribed, in RESP2. */
const WHILE_SUBSCRIBED: ReadonlySet<string> = new Set([
  'SUBSCRIBE',
  'UNSUBSCRIBE',
  'PSUBSCRIBE',
  'PUNSUBSCRIBE',
  'PING',
  'QUIT',
]);
const NOT_QUEUED: ReadonlySet<string> = new Set(['EXEC', 'DISCARD', 'MULTI', 'WATCH', 'QUIT']);
const OWN: Readonly<Record<string, readonly [least: number, most: number]>> = {
  PING: [0, 1],
  ECHO: [1, 1],
  AUTH: [1, 2],
  HELLO: [0, 4],
  SELECT: [1, 1],
  QUIT: [0, 0],
  MULTI: [0, 0],
  EXEC: [0, 0],
  DISCARD: [0, 0],
  WATCH: [1, 99],
  UNWATCH: [0, 0],
  PUBLISH: [2, 2],
  SUBSCRIBE: [1, 99],
  PSUBSCRIBE: [1, 99],
  UNSUBSCRIBE: [0, 99],
  PUNSUBSCRIBE: [0, 99],
  BLPOP: [2, 99],
  BRPOP: [2, 99],
};

export class Session {
  readonly number: number;
  readonly #life: Life;
  readonly #reader: CommandReader = new CommandReader();
  readonly channels: Set<string> = new Set();
  readonly patterns: Set<string> = new Set();
  #protocol: Protocol = 2;
  #db = 0;
  #loggedIn: boolean;
  #queue: string[][] | undefined;
  #spoilt = false;
  #watched: Watch[] = [];
  #waiting: string[][] = [];
  blocked: Blocked | undefined;
  /** Nothing that it still says is heard. */
  closed = false;
  /** It has said goodbye: close the connection when everything is sent. */
  quitting = false;
  /** What is to be sent; `wanted` is called when there is something. */
  out = '';
  readonly #wanted: () => void;

  constructor(life: Life, number: number, wanted: () => void) {
    this.#life = life;
    this.number = number;
    this.#wanted = wanted;
    this.#loggedIn = life.password === undefined;
  }

  /** Bytes have come. @throws Error for what is no RESP. */
  feed(bytes: Buffer): void {
    this.#waiting.push(...this.#reader.read(bytes));
    this.#go();
  }

  /** The client has gone. */
  close(): void {
    this.closed = true;
    this.blocked = undefined;
    this.#life.forget(this);
  }

  /** An element has come for it, or its time is up. */
  unblock(answer: Answer): void {
    const { name, keys } = this.blocked as Blocked;
    this.blocked = undefined;
    this.#life.executed(this, name, keys, answer);
    this.say(answer);
    this.#go();
  }

  say(answer: Answer): void {
    if (this.closed) return;
    this.out += wireOf(answer, this.#protocol);
    this.#wanted();
  }

  get subscriptions(): number {
    return this.channels.size + this.patterns.size;
  }

  #go(): void {
    while (this.blocked === undefined && !this.closed && !this.quitting) {
      const command = this.#waiting.shift();
      if (command === undefined) return;
      const [verb = '', ...args] = command;
      const answer = this.#answer(verb.toUpperCase(), args);
      if (answer !== undefined) this.say(answer);
      this.#life.serveBlocked();
    }
  }

  /** Carry out one command; undefined if its answers are said already, or come later. */
  #answer(name: string, args: readonly string[]): Answer | undefined {
    const refusal = this.#refusal(name, args);
    if (refusal !== undefined) {
      if (this.#queue !== undefined && !NOT_QUEUED.has(name)) this.#spoilt = true;
      return refusal;
    }
    if (this.#queue !== undefined && !NOT_QUEUED.has(name)) {
      this.#queue.push([name, ...args]);
      return QUEUED;
    }
    return this.#run(name, args, true);
  }

  #refusal(name: string, args: readonly string[]): Failure | undefined {
    const arity = OWN[name];
    if (arity === undefined && !Store.knows(name)) return new Failure(`ERR unknown command '${name}'`);
    const misuse = arity === undefined ? Store.misuse(name, args) : undefined;
    if (misuse !== undefined) return misuse;
    if (arity !== undefined && (args.length < arity[0] || args.length > arity[1]))
      return new Failure(`ERR wrong number of arguments for '${name.toLowerCase()}' command`);
    if (!this.#loggedIn && name !== 'AUTH' && name !== 'HELLO' && name !== 'QUIT')
      return new Failure('NOAUTH Authentication required.');
    if (this.subscriptions > 0 && this.#protocol === 2 && !WHILE_SUBSCRIBED.has(name))
      return new Failure(
        `ERR Can't execute '${name.toLowerCase()}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
      );
    return undefined;
  }

  #run(name: string, args: readonly string[], mayBlock: boolean): Answer | undefined {
    const life = this.#life;
    if (Store.knows(name)) {
      const answer = life.store.run(this.#db, name, args);
      life.executed(this, name, args, answer);
      return answer;
    }
    switch (name) {
      case 'PING':
        if (this.subscriptions > 0 && this.#protocol === 2) return ['pong', args[0] ?? ''];
        return args[0] ?? new Status('PONG');
      case 'ECHO':
        return args[0] as string;
      case 'SELECT':
        return this.#select(Number(args[0]));
      case 'AUTH':
        return this.#login(args.at(-1) as string);
      case 'HELLO':
        return this.#hello(args);
      case 'QUIT':
        this.quitting = true;
        return OK;
      case 'MULTI':
        if (this.#queue !== undefined) return new Failure('ERR MULTI calls can not be nested');
        this.#queue = [];
        this.#spoilt = false;
        return OK;
      case 'EXEC':
        return this.#exec();
      case 'DISCARD':
        if (this.#queue === undefined) return new Failure('ERR DISCARD without MULTI');
        this.#queue = undefined;
        this.#watched = [];
        return OK;
      case 'WATCH':
        if (this.#queue !== undefined) return new Failure('ERR WATCH inside MULTI is not allowed');
        this.#watched.push(...args.map((key) => ({ db: this.#db, key, changes: life.store.changesOf(this.#db, key) })));
        return OK;
      case 'UNWATCH':
        this.#watched = [];
        return OK;
      case 'PUBLISH':
        return life.publish(this, args[0] as string, args[1] as string);
      case 'SUBSCRIBE':
      case 'PSUBSCRIBE':
        this.#subscribe(name, args);
        return undefined;
      case 'UNSUBSCRIBE':
      case 'PUNSUBSCRIBE':
        this.#unsubscribe(name, args);
        return undefined;
      default:
        return this.#pop(name, args, mayBlock);
    }
  }

  #select(db: number): Answer {
    if (!Number.isInteger(db)) return new Failure('ERR value is not an integer or out of range');
    if (db < 0 || db > 15) return new Failure('ERR DB index is out of range');
    this.#db = db;
    return OK;
  }

  #login(password: string): Answer {
    const { password: expected } = this.#life;
    if (expected === undefined)
      return new Failure(
        'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
      );
    if (password !== expected) return new Failure('WRONGPASS invalid username-password pair or user is disabled.');
    this.#loggedIn = true;
    return OK;
  }

  #hello([version, verb, , password]: readonly string[]): Answer {
    if (version !== undefined && version !== '2' && version !== '3')
      return new Failure('NOPROTO unsupported protocol version');
    if (verb?.toUpperCase() === 'AUTH') {
      const answer = this.#login(password as string);
      if (answer instanceof Failure) return answer;
    }
    if (!this.#loggedIn)
      return new Failure(
        'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
      );
    if (version !== undefined) this.#protocol = Number(version) as Protocol;
    return this.#life.hello(this.#protocol, this.number);
  }

  #exec(): Answer {
    const queue = this.#queue;
    if (queue === undefined) return new Failure('ERR EXEC without MULTI');
    const { store } = this.#life;
    const watched = this.#watched;
    this.#queue = undefined;
    this.#watched = [];
    if (this.#spoilt) return new Failure('EXECABORT Transaction discarded because of previous errors.');
    if (watched.some(({ db, key, changes }) => store.changesOf(db, key) !== changes)) return NO_ARRAY;
    this.#life.begin();
    const answers = queue.map(([name = '', ...args]) => this.#run(name, args, false) ?? null);
    this.#life.commit();
    return answers;
  }

  #pop(name: string, args: readonly string[], mayBlock: boolean): Answer | undefined {
    const life = this.#life;
    const keys = args.slice(0, -1);
    const seconds = Number(args.at(-1));
    if (!(seconds >= 0)) return new Failure('ERR timeout is not a float or out of range');
    const popped = life.pop(this.#db, name, keys);
    if (popped !== undefined || !mayBlock) {
      const answer = popped ?? NO_ARRAY;
      life.executed(this, name, keys, answer);
      return answer;
    }
    this.blocked = { name, keys, forMs: seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000 };
    life.block(this);
    return undefined;
  }

  /** The database that it has selected. */
  get db(): number {
    return this.#db;
  }

  #subscribe(name: string, names: readonly string[]): void {
    const set = name === 'SUBSCRIBE' ? this.channels : this.patterns;
    for (const each of names) {
      set.add(each);
      this.say(new Push([name.toLowerCase(), each, this.subscriptions]));
    }
  }

  #unsubscribe(name: string, names: readonly string[]): void {
    const set = name === 'UNSUBSCRIBE' ? this.channels : this.patterns;
    const all: readonly (string | null)[] = names.length > 0 ? names : set.size > 0 ? [...set] : [null];
    for (const each of all) {
      if (each !== null) set.delete(each);
      this.say(new Push([name.toLowerCase(), each, this.subscriptions]));
    }
  }
}
