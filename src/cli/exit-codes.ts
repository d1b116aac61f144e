/** What a command's exit code says. A process ended by a signal exits with 130 (SIGINT), 143 (SIGTERM) or 129 (SIGHUP). */
export const EXIT = {
  done: 0,
  failed: 1,
  /** Wrong usage, input or configuration. */
  usage: 2,
  /** Finished, but some rows were rejected, failed or are held. */
  rowsLeftOut: 3,
  /** Stopped by the quota or another account-wide error; rows remain. */
  stopped: 4,
} as const;
