import type { FleetUnderTest } from './fleet-under-test.js';

/** Counts of rows, by the log of Zoho's stand-in and the program's own word for those it did not get. */
export interface Verdict {
  readonly acceptedOnce: number;
  /** Rows the stand-in accepted more than once: paid for twice. */
  readonly acceptedTwice: number;
  /** Rows neither accepted nor accounted for. */
  readonly lost: number;
  /** Every row of the file is good, so each failed one failed wrongly. */
  readonly failedWrongly: number;
  readonly held: number;
  /** Rows whose fate the program tells differently from the stand-in. */
  readonly misreported: number;
  /** The share of its pace that the fleet is back at after the trouble, where enough rows are left to tell; else 1. */
  readonly pace: number;
  /** Rows accepted beyond the budget, where one was set; below 0, what of it was left when the fleet stopped for it. */
  readonly overBudget: number;
}

/** Less than this says that a worker hangs; a machine that is busy with other things reaches it. */
const LEAST_PACE = 0.4;

export function isClean({ acceptedTwice, lost, failedWrongly, held, misreported, pace, overBudget }: Verdict): boolean {
  return acceptedTwice + lost + failedWrongly + held + misreported === 0 && overBudget === 0 && pace >= LEAST_PACE;
}

interface FileStatus {
  readonly rows: number;
  readonly submitted: number;
  readonly enriched: number;
  readonly notFound: number;
  readonly failed: number;
  readonly uncertain: number;
}

export async function judge(fleet: FleetUnderTest, rows: number): Promise<Omit<Verdict, 'pace' | 'overBudget'>> {
  const accepted = new Map<string, number>();
  for (const { sent } of fleet.sandbox.enrichments()) {
    const name = sent.name ?? '';
    accepted.set(name, (accepted.get(name) ?? 0) + 1);
  }
  const file = await fileStatus(fleet);
  const told = file.submitted + file.enriched + file.notFound;
  return {
    acceptedOnce: [...accepted.values()].filter((times) => times === 1).length,
    acceptedTwice: [...accepted.values()].filter((times) => times > 1).length,
    lost: rows - accepted.size - file.failed - file.uncertain,
    failedWrongly: file.failed,
    held: file.uncertain,
    misreported: Math.abs(told - accepted.size),
  };
}

async function fileStatus(fleet: FleetUnderTest): Promise<FileStatus> {
  const { stdout, stderr, code } = await fleet.command(['status', 'accounts.csv', '--json']);
  if (code !== 0) throw new Error(`status ended with ${code}: ${stderr}`);
  return (JSON.parse(stdout) as { file: FileStatus }).file;
}
