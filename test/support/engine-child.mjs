// A process with an engine of its own, told what to do over the channel its parent opened. See engine-process.ts.
import { fileURLToPath } from 'node:url';

const dist = process.env.TEST_DIST ?? fileURLToPath(new URL('../../dist', import.meta.url));
const { openEngine } = await import(`${dist}/lib/engine/open-engine.js`);

const events = [];
const note = (event) => {
  events.push(event);
};
const log = { error: note, warn: note, info: note, debug: note, child: () => log };
let engine;

const commands = {
  open: async (settings) => {
    engine = await openEngine(settings, log);
  },
  store: (method, ...args) => engine.store[method](...args),
  add: async (jobs) => {
    const queue = engine.openQueue();
    await queue.addBulk(jobs);
    await queue.close();
  },
  counts: () => engine.counts(),
  events: () => events,
  close: () => engine.close(),
};

process.on('message', async ({ id, command, args }) => {
  try {
    process.send({ id, value: await commands[command](...args) });
  } catch (error) {
    process.send({ id, error: `${error.name}: ${error.message}` });
  }
});
process.on('disconnect', () => process.exit(0));
process.send({ id: 0 });
