// topics.ts: names of topics, and filters that match them.
//
// A server closes the connection of everybody who shares it when one of them sends a bad topic, so they are checked before anything is sent.
// Source: MQTT 3.1.1, 4.7 and 1.5.3

import { invalid } from './errors.ts';

/** A text that a server has to take: no control characters, no half characters, at most 65,535 bytes. @throws TypeError */
export function checkText(text: string, what: string): string {
  const proper = typeof text === 'string' && !/[\p{Cc}\p{Surrogate}\p{Noncharacter_Code_Point}]/u.test(text);
  if (!proper || Buffer.byteLength(text) > 65_535)
    throw invalid(`${JSON.stringify(text)?.slice(0, 100)} is no ${what}`);
  return text;
}

/** @throws TypeError unless one can publish to `topic`. */
export function checkTopic(topic: string): string {
  checkText(topic, 'topic');
  if (topic === '' || /[+#]/.test(topic)) throw invalid(`${JSON.stringify(topic)} is no topic to publish to`);
  return topic;
}

/** @throws TypeError unless `filter` is one: `+` stands for a whole level, `#` for all that follow. */
export function checkFilter(filter: string): string {
  checkText(filter, 'filter');
  const levels = filter.split('/');
  const bad = levels.some(
    (level, i) =>
      (level.includes('#') && (level !== '#' || i < levels.length - 1)) || (level.includes('+') && level !== '+'),
  );
  if (filter === '' || bad) throw invalid(`${JSON.stringify(filter)} is no filter of topics`);
  return filter;
}

export function matches(filter: string, topic: string): boolean {
  // Shared subscriptions: which of their members gets a message is the server's business.
  const wanted = filter.replace(/^\$share\/[^/]*\//, '').split('/');
  const levels = topic.split('/');
  // What begins with $ is of the server, and nobody gets it who has not asked for it by name.
  if (topic.startsWith('$') && /^[+#]/.test(wanted[0] as string)) return false;
  for (const [i, level] of wanted.entries()) {
    if (level === '#') return true;
    if (i >= levels.length || (level !== '+' && level !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}
