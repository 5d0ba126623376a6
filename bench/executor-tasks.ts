// executor-tasks.ts: the same functions as tasks.
import { defineTasks } from 'tendril/executors';
import { little, much, same } from './executor-work.ts';

export const tasks = defineTasks(import.meta.url, { same, little, much });
