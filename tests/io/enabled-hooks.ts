// enabled-hooks.ts: how many async hooks of this process are enabled that were made by createHook since this was loaded.
import { createHook } from 'node:async_hooks';

const enabled = new Set<object>();
const prototype = Object.getPrototypeOf(createHook({})) as { enable(): object; disable(): object };
const { enable, disable } = prototype;
prototype.enable = function (): object {
  enabled.add(this);
  return enable.call(this);
};
prototype.disable = function (): object {
  enabled.delete(this);
  return disable.call(this);
};

export function enabledHooks(): number {
  return enabled.size;
}
