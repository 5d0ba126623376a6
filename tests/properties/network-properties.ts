// network-properties.ts: every property that is explored over the simulated network.
import type { NetworkProperty } from './network-property.ts';
import { strict } from './property.ts';
import { REDIS } from './redis-client.ts';
import { STREAMS } from './streams.ts';

export const NETWORK_PROPERTIES: readonly NetworkProperty[] = [...STREAMS, ...REDIS].map((property) => ({
  ...property,
  body: strict(property.body, property.times),
}));
