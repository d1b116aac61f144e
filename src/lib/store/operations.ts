/**
 * What an engine must offer for the store: each operation runs atomically, next to the data, on the store's clock.
 * Arguments and replies are lists of strings and the same on both engines, where each operation is one script
 * (`redis/<name>.lua`) or one function (`zia.<name>` in `postgres/schema.sql`); they are described at the Lua scripts.
 */
export type OperationName =
  | 'admit'
  | 'admit-call'
  | 'finish-call'
  | 'settle'
  | 'release'
  | 'doubt'
  | 'clear'
  | 'hold'
  | 'expire-claims'
  | 'uncertain'
  | 'sending'
  | 'owners'
  | 'alias-owners'
  | 'entries'
  | 'counts'
  | 'vitals'
  | 'scan'
  | 'import'
  | 'heartbeat'
  | 'leave'
  | 'pending'
  | 'failed'
  | 'finish'
  | 'results'
  | 'server';

export type Reply = readonly string[];

/** Rejects with `StoreUnavailableError` when the engine cannot be reached or refuses. Every operation may be repeated. */
export interface Operations {
  run(name: OperationName, args: readonly string[]): Promise<Reply>;
  readCell(cell: string): Promise<Reply>;
  /** `expected` is `''` for an absent cell. */
  changeCell(cell: string, expected: string, next: string): Promise<Reply>;
}
