// Jest's order, behind the files that are known to take long. Jest knows only how long a file took last, and one that is in both
// suites takes seconds in one and minutes in the other: after `npm test` it would be the last to begin in `npm run test:long`.
import TestSequencer from '@jest/test-sequencer';
import { placeInOrder } from './suites.mjs';

export default class Sequencer extends TestSequencer {
  sort(tests) {
    return super.sort(tests).sort((a, b) => placeInOrder(a.path) - placeInOrder(b.path));
  }
}
