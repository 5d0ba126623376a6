// properties.ts: every property of the kernel that is explored.
import { CHANNEL_ORDER } from './channel-order.ts';
import { CHANNELS } from './channels.ts';
import { CONDITIONS } from './conditions.ts';
import { ENDS } from './ends.ts';
import { GATHERS } from './gathers.ts';
import { GREENLETS } from './greenlets.ts';
import { GROUPS } from './groups.ts';
import { KILLS } from './kills.ts';
import { LOCKS } from './locks.ts';
import { type Property, strict } from './property.ts';
import { QUEUES } from './queues.ts';
import { RW_LOCKS } from './rw-locks.ts';
import { SCOPE_OWNERS } from './scope-owners.ts';
import { SCOPES } from './scopes.ts';
import { SELECTS } from './selects.ts';
import { SHIELDS } from './shields.ts';
import { SIGNALS } from './signals.ts';
import { TIMEOUTS } from './timeouts.ts';

export const PROPERTIES: readonly Property[] = [
  ...CHANNELS,
  ...CHANNEL_ORDER,
  ...SELECTS,
  ...LOCKS,
  ...RW_LOCKS,
  ...CONDITIONS,
  ...SIGNALS,
  ...QUEUES,
  ...GROUPS,
  ...SCOPES,
  ...SCOPE_OWNERS,
  ...TIMEOUTS,
  ...SHIELDS,
  ...KILLS,
  ...ENDS,
  ...GATHERS,
  ...GREENLETS,
].map((property) => ({ ...property, body: strict(property.body, property.times) }));
