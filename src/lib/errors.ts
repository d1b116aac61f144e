/**
 * The root of all errors this program raises on purpose. `message` is one sentence for people: what happened, to what,
 * what to do next; never a token or a row's content. `exitCode` is what a command ends with when nobody catches it.
 */
export class AppError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly exitCode: 1 | 2 | 130 = 1,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Wrong usage, input or configuration: the user can fix it and start again. Exit code 2. */
export class UsageError extends AppError {
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(code, message, 2, options);
  }
}

/** The engine (Redis, or the embedded database) cannot be reached or refuses to work. Exit code 1. */
export class StoreUnavailableError extends AppError {
  constructor(message: string, options?: ErrorOptions) {
    super('STORE_UNAVAILABLE', message, 1, options);
  }
}

/** A person gave up at a question (Ctrl-C). Exit code 130; the message says that nothing was done. */
export class InterruptedError extends AppError {
  constructor(message: string, options?: ErrorOptions) {
    super('INTERRUPTED', message, 130, options);
  }
}
