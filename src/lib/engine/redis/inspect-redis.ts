import { Redis } from 'ioredis';
import type { EngineInspection, EngineWarning } from '../engine.js';
import type { RedisAddress } from './redis-address.js';
import type { RedisClient } from './redis-client.js';

/** What a server tells of itself; undefined where it does not. */
export interface RedisSettings {
  readonly runId: string | undefined;
  readonly policy: string | undefined;
  readonly appendOnly: boolean | undefined;
  readonly appendFsync: string | undefined;
  /** The snapshot rules; empty when there are none. */
  readonly save: string | undefined;
  readonly replicas: number | undefined;
}

/** Asks every primary about the settings that matter here. Managed services refuse CONFIG; then INFO has to do. */
export async function inspectRedis(client: RedisClient, address: RedisAddress): Promise<EngineInspection> {
  const servers = client instanceof Redis ? [client] : client.nodes('master');
  const settings = await Promise.all(servers.map(settingsOf));
  const warnings = new Map(settings.flatMap(warningsOf).map((warning) => [warning.code, warning]));
  return {
    // Behind one name for several servers the next one may lack the last writes.
    durable: address.kind === 'single' && settings.length > 0 && settings.every(isDurable),
    warnings: [...warnings.values()],
  };
}

async function settingsOf(server: Redis): Promise<RedisSettings> {
  const info = await server.info();
  const config = async (name: string): Promise<string | undefined> => {
    try {
      // CONFIG GET answers name and value, as a list or as an object by protocol version.
      const reply: unknown = await server.config('GET', name);
      const value: unknown = Array.isArray(reply) ? reply[1] : Object(reply)[name];
      return typeof value === 'string' ? value : undefined;
    } catch {
      return undefined;
    }
  };
  const told = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const [appendFsync, save] = await Promise.all([config('appendfsync'), config('save')]);
  const aof = told('aof_enabled');
  const replicas = told('connected_slaves');
  return {
    runId: told('run_id'),
    policy: told('maxmemory_policy'),
    appendOnly: aof === undefined ? undefined : aof === '1',
    appendFsync,
    save,
    replicas: replicas === undefined ? undefined : Number(replicas),
  };
}

function isDurable({ appendOnly, appendFsync, replicas }: RedisSettings): boolean {
  return appendOnly === true && appendFsync === 'always' && replicas === 0;
}

/** What an operator should change, one sentence each. */
export function warningsOf({ runId, policy, appendOnly, appendFsync, save }: RedisSettings): readonly EngineWarning[] {
  const warnings: EngineWarning[] = [];
  if (policy !== undefined && policy !== 'noeviction') {
    const message = `Redis may throw rows and ledger away when its memory is full (maxmemory-policy ${policy}); set maxmemory-policy noeviction.`;
    warnings.push({ code: 'EVICTION', message });
  }
  if (appendOnly === false && save === '') {
    const message =
      'Redis keeps nothing on disk, so a restart forgets queue and ledger and rows may be paid for twice; set appendonly yes and appendfsync always.';
    warnings.push({ code: 'NO_PERSISTENCE', message });
  } else if (appendOnly === false) {
    const message =
      'Redis keeps snapshots only, so a restart forgets the last minutes and rows have to be looked up at Zoho; set appendonly yes and appendfsync always.';
    warnings.push({ code: 'SNAPSHOTS_ONLY', message });
  } else if (appendOnly === true && appendFsync !== undefined && appendFsync !== 'always') {
    const message = `Redis may lose its last writes when its machine fails (appendfsync ${appendFsync}), so after every restart the fleet waits and looks at Zoho first; set appendfsync always.`;
    warnings.push({ code: 'APPENDFSYNC', message });
  }
  if (runId === undefined) {
    const message =
      'This Redis does not tell its run id, so a restart or failover that loses writes goes unnoticed; use a server whose INFO tells it.';
    warnings.push({ code: 'NO_RUN_ID', message });
  }
  return warnings;
}
