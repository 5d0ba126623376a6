// side.ts: one side of a test, in a process of its own, that is told words on stdin and answers with lines of JSON.
import { type ChildProcess, spawn as spawnChild } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

export type Answer = Readonly<Record<string, number>>;

export class Side {
  readonly #child: ChildProcess;
  readonly #answers: Answer[] = [];
  #wake = (): void => {};
  #ended = false;

  constructor(program: string, ...args: string[]) {
    this.#child = spawnChild(process.execPath, ['--expose-gc', '--import', 'tsx', program, ...args], {
      cwd: root,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let rest = '';
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) this.#answers.push(JSON.parse(line) as Answer);
      this.#wake();
    });
    this.#child.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  async answer(): Promise<Answer> {
    while (this.#answers.length === 0) {
      if (this.#ended) throw new Error('it ended without an answer');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#answers.shift() as Answer;
  }

  ask(word: string): Promise<Answer> {
    this.#child.stdin?.write(`${word}\n`);
    return this.answer();
  }

  end(): void {
    if (!this.#ended) this.#child.kill('SIGKILL');
  }
}
