/** Makes the compiler prove that a switch is exhaustive; throws if an unproven value gets here anyway. */
export function assertNever(value: never): never {
  throw new Error(`Unexpected value: ${JSON.stringify(value)}`);
}
