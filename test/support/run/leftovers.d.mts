export interface Leftover {
  readonly pid: number;
  readonly command: string;
}

export function processesOf(folder: string): readonly Leftover[];
export function childProcesses(): readonly Leftover[];
export function killAll(processes: readonly Leftover[]): void;
export function openHandles(): readonly object[];
export function describeHandle(handle: object): string | undefined;
export function closeHandle(handle: object): void;
