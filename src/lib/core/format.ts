const NUMBERS = new Intl.NumberFormat('en');

/** `12,345` */
export function formatCount(value: number): string {
  return NUMBERS.format(value);
}

/** `1 row`, `2 rows` */
export function formatRows(value: number): string {
  return `${formatCount(value)} ${value === 1 ? 'row' : 'rows'}`;
}

/** `45 s`, `12 min`, `3 h 20 min`, `3 days`; `?` for what is no number, such as an estimate before the first step. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.round(hours / 24)} days`;
}
