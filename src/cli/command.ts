import type { Command } from 'commander';

/** Runs a parsed command and gives its exit code. */
export type Run = () => Promise<number>;

/** What each command file exports: adds arguments, flags and an example to `command`, and says how to run it. */
export type Define = (command: Command) => Run;
