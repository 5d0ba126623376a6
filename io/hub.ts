// hub.ts: the process's own scheduler, over the Node driver. Importing it installs it.

import { install } from '../core/install.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { NodeDriver } from './node-driver.ts';

const driver = new NodeDriver();
export const scheduler: Scheduler = install(driver);
driver.turn = () => scheduler.turn();
