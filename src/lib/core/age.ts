const UNITS_MS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** An age such as `180d`, `12h` or `4w`, in milliseconds; null when it is none. Pure. */
export function parseAge(text: string): number | null {
  const [, count = '', unit = ''] = /^(\d{1,5})([hdw])$/.exec(text.trim()) ?? [];
  const unitMs = UNITS_MS[unit];
  return unitMs === undefined || Number(count) === 0 ? null : Number(count) * unitMs;
}
