// few-descriptors-program.ts: waits until it may have only 64 descriptors, opens files until none is left, tries everything that needs one, and goes on when there
// are some again. Not under `ulimit` from the start: tsx needs more to load it.
import { once } from 'node:events';
import { dns, files, forEach, hub, type Op, openHandles, run } from 'tendril';

const [folder] = process.argv.slice(2) as [string];

interface Failure {
  readonly code: string;
  readonly syscall: string;
  readonly path: string;
}

function* failureOf(op: Op<unknown>): Op<Failure> {
  try {
    yield* op;
  } catch (error) {
    return error as Failure;
  }
  throw new Error('it did not throw');
}

process.stdout.write('loaded\n');
await once(process.stdin, 'data');
process.stdin.destroy();

await run(function* () {
  yield* files.writeFile(`${folder}/file`, 'content\n');
  // A watcher and a name server need descriptors of their own: the first opens what is kept.
  files.watch(folder).close();
  const open: files.File[] = [];
  let failure: Failure | undefined;
  while (failure === undefined) {
    try {
      open.push(yield* files.open(`${folder}/file`));
    } catch (error) {
      failure = error as Failure;
    }
  }
  console.log(
    failure.code,
    failure.syscall,
    failure.path === `${folder}/file`,
    openHandles().counts.file === open.length,
  );

  const lines = files.lines(`${folder}/file`);
  for (const op of [
    files.open(`${folder}/file`),
    files.open(`${folder}/new`, 'w'),
    files.readFile(`${folder}/file`),
    files.writeFile(`${folder}/file`, 'lost'),
    files.appendFile(`${folder}/file`, 'lost'),
    files.opendir(folder),
    files.readdir(folder),
    files.copyFile(`${folder}/file`, `${folder}/copy`),
    lines.next(),
  ])
    console.log((yield* failureOf(op)).code);
  console.log(
    (yield* failureOf(
      new dns.Resolver({ servers: ['127.0.0.1:9'], timeoutMs: 200, tries: 1 }).resolve4('a.test'),
    )) instanceof dns.DnsError,
  );
  // What needs none still works.
  yield* files.mkdir(`${folder}/made`);
  console.log((yield* files.stat(`${folder}/file`)).size, String(yield* (open[0] as files.File).read()));

  for (const file of open) file.close();
  console.log(yield* files.readFile(`${folder}/file`, 'utf8'));
  yield* forEach(lines, function* (line) {
    console.log(line);
  });
  for (let i = 0; i < 200; i += 1) (yield* files.open(`${folder}/file`)).close();
  console.log(openHandles().total, hub.stats().orphans);
});
