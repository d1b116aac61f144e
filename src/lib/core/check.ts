/** One thing that was looked at, and what to do about it when it is not as it should be. */
export interface Check {
  readonly name: string;
  /** `failed`: a worker would not work, or not safely. `not-checked`: a scope is missing, or there was no answer. */
  readonly status: 'ok' | 'warning' | 'failed' | 'not-checked';
  /** One sentence for people. */
  readonly message: string;
}
