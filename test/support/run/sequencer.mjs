// Jest's order, slowest file first as far as earlier runs on this machine tell, but on a machine without any with those first
// that are known to take long.
import TestSequencer from '@jest/test-sequencer';
import { runsFirst } from './suites.mjs';

export default class Sequencer extends TestSequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    if (sorted.some(({ duration }) => duration !== undefined)) return sorted;
    return [...sorted.filter(({ path }) => runsFirst(path)), ...sorted.filter(({ path }) => !runsFirst(path))];
  }
}
