// node-options.ts: the options of Node with which a child process is started: those of this one, without what says what to run.
//
// `node -e '...'` has its text among the options: a child that got them would run that text and not its entry file, and start children of its own in turn, without end. `fork` takes
// such a text out only if it is given the very array of the process, and leaves `--input-type`, which Node refuses beside a file.
// Source: `node --help`; the aliases in Node's src/node_options.cc.

/** Have a value, and so much of the next word as follows. `--print` has one only if that is no option. */
const evaluated = /^(-e|--eval|-pe|-p|--print)$/;
const program = /^(-e|--eval|-pe|-p|--print|-c|--check|-i|--interactive|--input-type)(=|$)/;
const inspector = /^--(inspect|debug-port)/;
const valued = /^--(input-type|inspect-port|debug-port|inspect-publish-uid)$/;

/** The options for a child: `given`, or those of this process without its inspector, because two processes cannot listen on one port. What to run is in neither. */
export function nodeOptions(given: readonly string[] | undefined): string[] {
  const options: string[] = [];
  const words = given ?? process.execArgv;
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] as string;
    if (!program.test(word) && (given !== undefined || !inspector.test(word))) options.push(word);
    else if (valued.test(word) || (evaluated.test(word) && words[i + 1]?.startsWith('-') === false)) i += 1;
  }
  return options;
}
