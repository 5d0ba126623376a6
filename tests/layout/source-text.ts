// source-text.ts: TypeScript source with everything blanked out that is not code.
//
// Not a parser: it knows comments, strings, templates and regular expressions, which is what the layout rules need in order to find an
// import or a forbidden name without being fooled by prose. Every blanked character becomes a space and line ends stay, so an offset in
// the result is an offset in the source. A `/` starts a regular expression where a value could start: after an operator, an opening
// bracket or a keyword.

const keywordsBeforeValue = new Set([
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'void',
  'throw',
  'yield',
  'await',
  'else',
]);

/** Blank comments and the contents of strings, templates and regular expressions; keep the quotes, the offsets and the line ends. */
export function codeOnly(source: string): string {
  const out = source.split(''); // by UTF-16 unit, as offsets are
  const openBraces: ('brace' | 'template')[] = [];
  let previous = ''; // the last code token: a word or one punctuation character
  let at = 0;

  const blank = (from: number, to: number): void => {
    for (let i = from; i < to && i < out.length; i += 1) if (out[i] !== '\n') out[i] = ' ';
  };
  // Both return the offset just after what they blank.
  const skipQuoted = (quote: string): number => {
    let end = at + 1;
    while (end < source.length && source[end] !== quote && source[end] !== '\n') end += source[end] === '\\' ? 2 : 1;
    blank(at + 1, end);
    return end + 1;
  };
  const skipTemplateText = (from: number): number => {
    let end = from;
    while (end < source.length && source[end] !== '`' && !source.startsWith('${', end))
      end += source[end] === '\\' ? 2 : 1;
    blank(from, end);
    if (source[end] === '`') return end + 1;
    openBraces.push('template');
    return end + 2;
  };
  // A regular expression ends on its line; a slash that starts none (`value! / 2`) is just a slash.
  const skipRegExp = (): number => {
    let end = at + 1;
    for (let inClass = false; inClass || source[end] !== '/'; end += 1) {
      if (source[end] === '\\') end += 1;
      else if (source[end] === '[') inClass = true;
      else if (source[end] === ']') inClass = false;
      if (end >= source.length || source[end] === '\n') return at + 1;
    }
    blank(at + 1, end);
    return end + 1;
  };
  const valueMayStart = (): boolean =>
    previous === '' || keywordsBeforeValue.has(previous) || /^[^\w$)\]}'"`]$/.test(previous);

  while (at < source.length) {
    const char = source[at] as string;
    if (source.startsWith('//', at)) {
      const end = source.indexOf('\n', at);
      blank(at, end < 0 ? source.length : end);
      at = end < 0 ? source.length : end;
    } else if (source.startsWith('/*', at)) {
      const end = source.indexOf('*/', at + 2);
      blank(at, end < 0 ? source.length : end + 2);
      at = end < 0 ? source.length : end + 2;
    } else if (char === "'" || char === '"') {
      at = skipQuoted(char);
      previous = char;
    } else if (char === '`' || (char === '}' && openBraces.at(-1) === 'template')) {
      if (char === '}') openBraces.pop();
      at = skipTemplateText(at + 1);
      previous = source[at - 1] === '`' ? '`' : '{';
    } else if (char === '/' && valueMayStart()) {
      at = skipRegExp();
      previous = ')';
    } else {
      const word = /^[\w$]+/.exec(source.slice(at, at + 80))?.[0];
      if (char === '{') openBraces.push('brace');
      else if (char === '}') openBraces.pop();
      if (word !== undefined) previous = word;
      else if (!/\s/.test(char)) previous = char;
      at += word?.length ?? 1;
    }
  }
  return out.join('');
}

/** Every module that `source` imports or exports from, in order; an import of an expression reads as `(computed)`. */
export function importsOf(source: string): string[] {
  const code = codeOnly(source);
  const found: { at: number; specifier: string }[] = [];
  const literal = /\b(?:from\s*|import\s*|import\s*\(\s*|require\s*\(\s*)(['"`])([ \n]*)\1/g;
  for (const match of code.matchAll(literal)) {
    const end = match.index + match[0].length - 1;
    found.push({ at: match.index, specifier: source.slice(end - (match[2] as string).length, end) });
  }
  for (const match of code.matchAll(/\bimport\s*\(\s*(?!['"`\s])/g))
    found.push({ at: match.index, specifier: '(computed)' });
  return found.sort((a, b) => a.at - b.at).map((each) => each.specifier);
}

/** The names that a module's own text exports, types apart from values. `export *` is not followed: another rule forbids it. */
export function exportsOf(source: string): { values: string[]; types: string[] } {
  const code = codeOnly(source);
  const values = new Set<string>();
  const types = new Set<string>();
  for (const match of code.matchAll(/\bexport\s+(type\s*)?\{([^}]*)\}/g)) {
    for (const part of (match[2] as string).split(',')) {
      const words = part
        .trim()
        .split(/\s+/)
        .filter((word) => word !== '');
      const name = words.at(-1);
      if (name === undefined) continue;
      const isType = match[1] !== undefined || (words[0] === 'type' && words.length > 1 && words[1] !== 'as');
      (isType ? types : values).add(name);
    }
  }
  const declaration =
    /\bexport\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(function\b\s*\*?|const|let|var|class|interface|type|enum)\s*([\w$]+)/g;
  for (const match of code.matchAll(declaration)) {
    const isType = match[1] === 'interface' || match[1] === 'type';
    (isType ? types : values).add(match[2] as string);
  }
  return { values: [...values].sort(), types: [...types].sort() };
}
