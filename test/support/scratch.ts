import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs `work` with an empty folder that is gone afterwards; a failed test keeps its folder and prints where. */
export async function withScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'zia-test-')));
  try {
    const result = await work(folder);
    await rm(folder, { recursive: true, force: true });
    return result;
  } catch (error) {
    console.error(`the folder of this failed test is kept: ${folder}`);
    throw error;
  }
}
