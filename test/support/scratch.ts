import { cp, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/** Runs `work` with an empty folder that is gone afterwards; `KEEP_FOLDERS=1` keeps that of a failed test and prints where. */
export async function withScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'zia-test-')));
  try {
    return await work(folder);
  } catch (error) {
    if (process.env.KEEP_FOLDERS) await keep(folder);
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function keep(folder: string): Promise<void> {
  const kept = join(process.cwd(), 'kept', basename(folder));
  await cp(folder, kept, { recursive: true });
  console.error(`the folder of this failed test is kept: ${kept}`);
}
