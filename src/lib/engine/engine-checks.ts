import type { Check } from '../core/check.js';
import type { Engine, EngineFacts, EngineWarning } from './engine.js';

type RedisFacts = Extract<EngineFacts, { kind: 'redis' }>;

/** `hset` with field lists, `zrange` and the scripts need it; older servers are out of support anyway. */
const OLDEST = [6, 2] as const;
/** A waiting row in a Redis with `hash-max-listpack-value 512`, its ledger entry included; more without. */
const BYTES_A_ROW = 1_000;
const NEARLY_FULL = 0.8;

/** Whether the queue and the ledger are safe where they are. */
export async function checkEngine(engine: Engine): Promise<readonly Check[]> {
  const facts = await engine.facts();
  if (facts.kind === 'embedded') {
    const host = facts.hostPid === process.pid ? 'this process' : `process ${facts.hostPid ?? 'unknown'}`;
    return [{ name: 'engine', status: 'ok', message: `Embedded in ${facts.directory}, hosted by ${host}.` }];
  }
  const { waiting, active, delayed } = await engine.counts();
  return [
    versionCheck(facts, engine.description),
    ...settingChecks((await engine.inspect()).warnings, facts),
    memoryCheck(facts, waiting + active + delayed),
  ];
}

function versionCheck({ version }: RedisFacts, description: string): Check {
  const name = 'engine';
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  const isOld = version !== null && (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]));
  return isOld
    ? {
        name,
        status: 'failed',
        message: `${description} has version ${version}; ${OLDEST.join('.')} or later is needed.`,
      }
    : { name, status: 'ok', message: `${description}, version ${version ?? 'not told'}.` };
}

/** What the engine warns of; a server that throws data away when it is full, and may be full, is no place for a ledger. */
function settingChecks(warnings: readonly EngineWarning[], { memoryLimit }: RedisFacts): readonly Check[] {
  const checks = warnings.map(({ code, message }): Check => {
    const fails = code === 'EVICTION' && memoryLimit !== 0;
    return { name: SETTING_NAMES[code] ?? 'engine settings', status: fails ? 'failed' : 'warning', message };
  });
  const fine = ['eviction policy', 'persistence'].filter((name) => checks.every((check) => check.name !== name));
  return [
    ...checks,
    ...fine.map((name): Check => ({ name, status: 'ok', message: 'As it should be, as far as the server tells.' })),
  ];
}

const SETTING_NAMES: Readonly<Record<string, string>> = {
  EVICTION: 'eviction policy',
  NO_PERSISTENCE: 'persistence',
  SNAPSHOTS_ONLY: 'persistence',
  APPENDFSYNC: 'persistence',
};

function memoryCheck({ memoryLimit, memoryUsed }: RedisFacts, rowsToGo: number): Check {
  const name = 'memory';
  if (memoryUsed === null || memoryLimit === null) {
    return { name, status: 'not-checked', message: 'The server does not tell its memory.' };
  }
  const used = `${megabytes(memoryUsed)} used, ${rowsToGo} rows in the queue`;
  if (memoryLimit === 0) return { name, status: 'ok', message: `${used}, no limit set.` };
  const room = Math.floor(Math.max(0, memoryLimit - memoryUsed) / BYTES_A_ROW);
  if (memoryUsed > memoryLimit * NEARLY_FULL) {
    const message = `${used}, of ${megabytes(memoryLimit)}: nearly full; raise maxmemory before enqueueing more.`;
    return { name, status: 'warning', message };
  }
  return { name, status: 'ok', message: `${used}, of ${megabytes(memoryLimit)}: room for about ${room} more.` };
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_048_576)} MB`;
}
