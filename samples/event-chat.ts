// event-chat.ts: a chat server of components that know nothing of each other: they fire events, and handle those that concern them.
//
//   Door      accepts connections and turns lines into events
//   Room      tells everybody what happens
//   Memory    remembers what was said, for those who come later
//   Censor    stops what must not be said before anybody else hears it
//   Hush      notices that nobody says anything any more, with a timer that each line sets back
//
// Take one of them out of `server`, and the others work as before.
//
// How to run: npx tsx samples/event-chat.ts                  three people talk, then it ends
//             npx tsx samples/event-chat.ts 7002             it stays: try `nc 127.0.0.1 7002`, twice
//             npx tsx samples/event-chat.ts 7002 --events    and prints each event

import { Channel, connect, forEach, listen, main, type Op, type Socket, scope, serve, sleep } from 'tendril';
import { Component, Debugger, defineEvent, handling, Timer } from 'tendril/components';

interface Member {
  readonly name: string;
  readonly outbox: Channel<string>;
}

const opened = defineEvent<[port: number]>('opened');
const came = defineEvent<[member: Member]>('came');
const said = defineEvent<[member: Member, text: string]>('said');
const left = defineEvent<[member: Member]>('left');
const recall = defineEvent<[], readonly string[]>('recall');
const silence = defineEvent('silence');

class Door extends Component {
  constructor(port: number) {
    super();
    this.background(function* () {
      const listener = yield* listen({ host: '127.0.0.1', port });
      this.fire(opened(listener.address.port));
      yield* serve(listener, (socket) => this.letIn(socket));
    });
  }

  *letIn(socket: Socket): Op<void> {
    yield* socket.write('your name?\n');
    const name = yield* socket.readLine({ limit: 40 });
    if (name === null || name === '') return;
    const member: Member = { name, outbox: new Channel(100, { name: `outbox of ${name}` }) };
    yield* scope((s) =>
      this.attend(member, socket, () => s.spawn(forEach, member.outbox, (line) => socket.write(`${line}\n`))),
    );
  }

  *attend(member: Member, socket: Socket, beginWriting: () => void): Op<void> {
    beginWriting();
    try {
      // Not to go on before all have heard of it: lines of one member keep their order, and nobody can flood the others.
      yield* this.call(came(member));
      for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine())
        yield* this.call(said(member, line));
    } finally {
      this.fire(left(member));
    }
  }
}

class Room extends Component {
  readonly members: Set<Member> = new Set();

  constructor() {
    super();
    this.on(came, function* (member) {
      for (const line of yield* this.ask(recall())) member.outbox.trySend(line);
      this.members.add(member);
      this.tell(`* ${member.name} is here, that makes ${this.members.size}`);
    });
    this.on(said, (member, text) => this.tell(`${member.name}: ${text}`, member));
    this.on(left, (member) => {
      this.members.delete(member);
      member.outbox.close(); // what waits in it is still sent
      this.tell(`* ${member.name} has left`);
    });
    this.on(silence, () => this.tell('* nobody says anything'));
  }

  tell(line: string, except?: Member): void {
    for (const member of this.members) if (member !== except) member.outbox.trySend(line);
  }
}

class Memory extends Component {
  readonly lines: string[] = [];

  constructor() {
    super();
    this.on(said, (member, text) => void this.lines.push(`earlier, ${member.name}: ${text}`));
    this.on(recall, () => this.lines.slice(-2));
  }
}

class Censor extends Component {
  constructor() {
    super();
    this.on(
      said,
      (member, text) => {
        if (!text.includes('buy now')) return;
        handling().stop();
        member.outbox.trySend('* that was not heard');
      },
      { priority: 10 },
    );
  }
}

class Hush extends Component {
  #timer: Timer | undefined = undefined;

  constructor(afterMs: number) {
    super();
    this.on(said, () => {
      if (this.#timer === undefined) this.#timer = new Timer(silence(), { afterMs }).register(this);
      else this.#timer.reset();
    });
    this.on(silence, () => {
      this.#timer = undefined; // it was due once, and is over
    });
  }
}

function server(port: number): Component {
  const chat = new Component({ name: 'chat' });
  new Door(port).register(chat);
  new Room().register(chat);
  new Memory().register(chat);
  new Censor().register(chat);
  new Hush(port === 0 ? 300 : 60_000).register(chat);
  return chat;
}

function* join(port: number, name: string): Op<Socket> {
  const socket = yield* connect({ host: '127.0.0.1', port });
  yield* socket.readLine(); // your name?
  yield* socket.write(`${name}\n`);
  return socket;
}

function* reads(name: string, socket: Socket, lines: number): Op<void> {
  for (let i = 0; i < lines; i += 1) console.log(`${name} reads: ${yield* socket.readLine()}`);
}

function* threePeopleTalk(port: number): Op<void> {
  const ada = yield* join(port, 'Ada');
  yield* reads('Ada', ada, 1);
  const ben = yield* join(port, 'Ben');
  yield* reads('Ada', ada, 1);
  yield* reads('Ben', ben, 1);
  yield* ben.write('hello\nanybody here?\nbuy now!\nsorry\n');
  yield* reads('Ada', ada, 3);
  yield* reads('Ben', ben, 1);
  yield* reads('Ada', ada, 1); // of the silence
  yield* ben.closeGracefully();
  yield* reads('Ada', ada, 1);
  const cleo = yield* join(port, 'Cleo');
  yield* reads('Cleo', cleo, 3);
  yield* ada.closeGracefully();
  yield* cleo.closeGracefully();
}

main(function* program(): Op<void> {
  const port = Number(process.argv[2] ?? 0);
  const chat = server(port);
  if (process.argv.includes('--events')) new Debugger({ write: console.log }).register(chat);
  yield* chat.run(function* () {
    const { event } = yield* chat.wait(opened);
    if (port === 0) yield* threePeopleTalk(...event.args);
    else yield* sleep(Number.POSITIVE_INFINITY); // until Ctrl-C
  });
});
