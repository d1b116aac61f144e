import { EventEmitter, once } from 'node:events';
import { expect, test } from '@jest/globals';
import type { Logger } from '../../src/lib/logger.js';
import { createShutdown } from '../../src/lib/shutdown.js';
import { waitFor } from '../support/wait.js';

function setup(deadlineMs = 10_000) {
  const events: string[] = [];
  const exits: number[] = [];
  const note = (event: string) => void events.push(event);
  const log: Logger = { error: note, warn: note, info: note, debug: note, child: () => log };
  const signals = new EventEmitter();
  const shutdown = createShutdown({ deadlineMs, log, signals, exit: (code) => void exits.push(code) });
  return { events, exits, signals, shutdown };
}

const aMomentLater = () => new Promise((resolve) => setTimeout(resolve, 600));

test('closes in reverse order, once, and goes on after a closer that throws', async () => {
  const t = setup();
  const closed: string[] = [];
  t.shutdown.onClose('first', () => void closed.push('first'));
  t.shutdown.onClose('broken', () => {
    throw new Error('broken');
  });
  t.shutdown.onClose('last', async () => void closed.push('last'));
  await Promise.all([t.shutdown.close(), t.shutdown.close()]);
  expect(closed).toEqual(['last', 'first']);
  expect(t.events).toEqual(['shutdown.closer-failed']);
  expect(t.signals.listenerCount('SIGTERM') + t.signals.listenerCount('SIGINT')).toBe(0);
});

test('the first signal asks for a graceful end and does not exit', async () => {
  const t = setup();
  const aborted = once(t.shutdown.signal, 'abort');
  t.signals.emit('SIGTERM', 'SIGTERM');
  await aborted;
  expect(t.shutdown.received).toBe('SIGTERM');
  expect(t.exits).toEqual([]);
  await t.shutdown.close();
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
])('a second %s exits at once with %i', async (signal, code) => {
  const t = setup();
  t.signals.emit(signal, signal);
  await aMomentLater();
  t.signals.emit(signal, signal);
  expect(t.exits).toEqual([code]);
  await t.shutdown.close();
});

test('a terminal that closes asks for a graceful end, however often it says so', async () => {
  const t = setup();
  t.signals.emit('SIGHUP', 'SIGHUP');
  expect(t.shutdown.received).toBe('SIGHUP');
  await aMomentLater();
  t.signals.emit('SIGHUP', 'SIGHUP');
  expect(t.exits).toEqual([]);
  t.signals.emit('SIGTERM', 'SIGTERM');
  expect(t.exits).toEqual([143]);
  await t.shutdown.close();
  expect(t.signals.listenerCount('SIGHUP')).toBe(0);
});

test('a signal that arrives twice within a moment, as npm passes it on, counts once', async () => {
  const t = setup();
  t.signals.emit('SIGINT', 'SIGINT');
  t.signals.emit('SIGINT', 'SIGINT');
  expect(t.exits).toEqual([]);
  await t.shutdown.close();
});

test('exits when the deadline passes before everything is closed', async () => {
  const t = setup(50);
  t.signals.emit('SIGTERM', 'SIGTERM');
  await waitFor(() => t.exits.length > 0, { what: 'the forced exit' });
  expect(t.exits).toEqual([143]);
  await t.shutdown.close();
});
