/**
 * Maps the items in their order, `ahead` of them begun before their turn, so that whoever takes the results and whoever makes
 * them both keep busy. `map` is called in the order of the items. Rejects with the first error; when the reading ends early,
 * what was begun is waited for.
 */
export async function* mapAhead<T, R>(
  items: AsyncIterable<T>,
  ahead: number,
  map: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = [];
  try {
    for await (const item of items) {
      const next = map(item);
      // It is awaited when its turn comes, or never: until then Node must not take a failure for unhandled.
      next.catch(() => undefined);
      underWay.push(next);
      const [first] = underWay;
      if (underWay.length <= ahead || first === undefined) continue;
      yield await first;
      underWay.shift();
    }
    for (const next of underWay) yield await next;
  } finally {
    await Promise.allSettled(underWay);
  }
}
