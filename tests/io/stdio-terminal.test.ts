// stdio-terminal.test.ts: keys and questions, on a terminal of its own that script(1) makes.
import { describe, expect, it } from 'vitest';
import { decodeKey } from '../../io/stdio-keys.ts';
import { probeProgram } from '../services.ts';
import { runProgram, type Surroundings } from './process-program.ts';

describe('A key', () => {
  const seen = (text: string | Buffer, complete = false): unknown => {
    const bytes = Buffer.from(text as string);
    const found = decodeKey(bytes, complete);
    if (found === undefined) return 'more';
    const { ctrl, meta, shift, name } = found.key;
    return [`${ctrl ? 'ctrl-' : ''}${meta ? 'meta-' : ''}${shift ? 'shift-' : ''}${name}`, found.length];
  };

  it.each([
    ['a', 'a', 1],
    ['Z', 'shift-z', 1],
    ['7', '7', 1],
    ['é', 'é', 2],
    ['😀', '😀', 4],
    [' ', 'space', 1],
    ['\r', 'return', 1],
    ['\n', 'enter', 1],
    ['\t', 'tab', 1],
    ['\x7f', 'backspace', 1],
    ['\x03', 'ctrl-c', 1],
    ['\x00', 'ctrl-space', 1],
    ['\x1f', 'ctrl-_', 1],
    ['\x1b[A', 'up', 3],
    ['\x1bOB', 'down', 3],
    ['\x1b[Z', 'shift-tab', 3],
    ['\x1b[1;2D', 'shift-left', 6],
    ['\x1b[1;3C', 'meta-right', 6],
    ['\x1b[3;5~', 'ctrl-delete', 6],
    ['\x1b[5~', 'pageup', 4],
    ['\x1b[15~', 'f5', 5],
    ['\x1b[24~', 'f12', 5],
    ['\x1bOP', 'f1', 3],
    ['\x1b[[B', 'f2', 4],
    ['\x1b[200~', '', 6],
    ['\x1bx', 'meta-x', 2],
    ['\x1bX', 'meta-shift-x', 2],
    ['\x1b\r', 'meta-return', 2],
    ['\x1b\x1b', 'escape', 1],
  ])('is told by %j', (text, name, length) => {
    expect(seen(`${text}rest`)).toEqual([name, length]);
  });

  it('is not told before all of it is there, and never waits when nothing more comes', () => {
    for (const text of ['\x1b', '\x1b[', '\x1bO', '\x1b[1;', '\x1b[[', '\x1b[1;5']) {
      expect([text, seen(text)]).toEqual([text, 'more']);
      expect(seen(text, true)).not.toBe('more');
    }
    expect(seen('\x1b', true)).toEqual(['escape', 1]);
    expect(seen(Buffer.from([0xc3]))).toBe('more');
    expect(seen(Buffer.from([0xc3]), true)).toEqual(['', 1]);
    expect(seen(Buffer.from([0xff, 0x41]))).toEqual(['', 1]);
    expect(seen(Buffer.from([0xc3, 0x41]))).toEqual(['', 1]);
  });

  it('takes something from whatever comes: no bytes are waited for in vain', () => {
    // Every pair of bytes behind every beginning, and a sequence that never ends.
    for (const start of ['', '\x1b', '\x1b[', '\x1bO', '\x1b[1;5']) {
      for (let byte = 0; byte < 256; byte += 1) {
        const bytes = Buffer.concat([Buffer.from(start), Buffer.from([byte, byte])]);
        const found = decodeKey(bytes, true);
        expect(found !== undefined && found.length >= 1 && found.length <= bytes.length).toBe(true);
      }
    }
    expect(seen(`\x1b[${'1;'.repeat(100)}`)).toEqual(['meta-[', 2]);
  });
});

const script = probeProgram('bash') === undefined ? undefined : probeProgram('script');

/** Run a program on a terminal; what the terminal's state is afterwards stands at the end. */
async function onTerminal(source: string, input: NonNullable<Surroundings['input']>): Promise<string> {
  const { stdout } = await runProgram(source, {
    input: [...input, ['never printed', '']],
    script: `exec script -qec "$(printf '%q ' "$@"); echo status \\$?; stty -a | grep -o '[- ]icanon\\|[- ]echo '; exit" /dev/null`,
  });
  return stdout.replaceAll('\r\n', '\n');
}

const COOKED = ' icanon\n echo \n';

describe.skipIf(script === undefined)('On a terminal', () => {
  it('readKey gives each key as it is pressed and shows none; afterwards the terminal is as it was', async () => {
    const seen = await onTerminal(
      `
      import { main, stdio } from 'tendril';
      function* keys() {
        console.log('ready');
        for (;;) {
          const { name, ctrl, meta } = yield* stdio.readKey();
          console.log((ctrl ? '^' : '') + (meta ? 'M-' : '') + name + ' ' + process.stdin.isRaw);
          if (name === 'q') return 'quit';
        }
      }
      main(function* () {
        console.log(String(process.stdin.isRaw));
        console.log((yield* stdio.rawMode(keys())) + ' ' + process.stdin.isRaw);
      });`,
      [
        ['ready', 'a\x1b[A'],
        ['up', '\x1b'],
        ['escape', '\x1bx\x04\x1a'],
        ['^z', 'q'],
      ],
    );
    expect(seen).toBe(
      `false\nready\na true\nup true\nescape true\nM-x true\n^d true\n^z true\nq true\nquit false\nstatus 0\n${COOKED}`,
    );
  });

  it.each([
    [
      'Ctrl-C, which ends main by SIGINT',
      "yield* stdio.rawMode(function* () { console.log('ready'); yield* stdio.readKey(); }());",
      [['ready', '\x03']],
      'status 130',
    ],
    [
      'a kill of its greenlet',
      'const g = spawn(() => stdio.readKey()); yield* sleep(5); console.log(String(process.stdin.isRaw)); g.kill(); yield* g.join(); console.log(String(process.stdin.isRaw));',
      [],
      'true\nfalse\nstatus 0',
    ],
    [
      'a timeout',
      'console.log(String(yield* timeout(10, stdio.readKey(), { else: null })), String(process.stdin.isRaw));',
      [],
      'null false\nstatus 0',
    ],
    ['process.exit()', 'yield* stdio.rawMode(function* () { yield* sleep(1); process.exit(3); }());', [], 'status 3'],
    [
      'an error that nobody handles',
      "yield* stdio.rawMode(function* () { yield* sleep(1); setImmediate(() => { throw 'x' }); yield* sleep(10_000); }());",
      [],
      /status 1$/,
    ],
  ] as const)('the terminal is as it was after %s', async (_, body, input, expected) => {
    const seen = await onTerminal(
      `
      import { main, sleep, spawn, stdio, timeout } from 'tendril';
      main(function* () { ${body} });`,
      input,
    );
    expect(seen.endsWith(`\n${COOKED}`)).toBe(true);
    const rest = seen.slice(0, -COOKED.length - 1).replace('ready\n', '');
    if (typeof expected === 'string') expect(rest).toBe(expected);
    else expect(rest).toMatch(expected);
  });

  it('readKey gives Ctrl-C to who wants it', async () => {
    const seen = await onTerminal(
      `
      import { main, stdio } from 'tendril';
      main(function* () {
        yield* stdio.rawMode(function* () {
          console.log('ready');
          const { name, ctrl } = yield* stdio.readKey({ interrupt: false });
          console.log(name + ' ' + ctrl);
        }());
      });`,
      [['ready', '\x03']],
    );
    expect(seen).toBe(`ready\nc true\nstatus 0\n${COOKED}`);
  });

  it('question shows what is typed, unless it is a secret, which can be corrected', async () => {
    const seen = await onTerminal(
      `
      import { main, stdio } from 'tendril';
      main(function* () {
        const name = yield* stdio.question('Name? ');
        const secret = yield* stdio.question('Secret? ', { hidden: true });
        console.log(name + ' ' + secret);
        console.log(String(yield* stdio.question('Nothing? ', { hidden: true })));
      });`,
      [
        ['Name? ', 'Jo\n'],
        ['Secret? ', 'wrong\x15sé\x7fesan\x7fme\x1b[A\r'],
        ['Nothing? ', '\x04'],
      ],
    );
    expect(seen).toBe(`Name? Jo\nSecret? \nJo sesame\nNothing? \nnull\nstatus 0\n${COOKED}`);
  });
});
