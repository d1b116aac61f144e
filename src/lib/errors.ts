/**
 * The root of all errors this program raises on purpose. `message` is one sentence for people: what happened, to what,
 * what to do next; never a token or a row's content. `exitCode` is what a command ends with when nobody catches it.
 */
export class AppError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly exitCode: number = 1,
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

/** A person gave up at a question: Ctrl-C, exit code 130, or a signal's own. The message says that nothing was done. */
export class InterruptedError extends AppError {
  constructor(message: string, { exitCode = 130, ...options }: ErrorOptions & { readonly exitCode?: number } = {}) {
    super('INTERRUPTED', message, exitCode, options);
  }
}
