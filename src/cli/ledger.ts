import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Argument, type Command } from 'commander';
import { formatCount } from '../lib/core/format.js';
import { type ImportReport, importLedger, type LedgerAccount, ledgerLines } from '../lib/store/ledger-file.js';
import { resolveTarget, writeTo } from '../reports/write-file.js';
import { bindStore } from './account.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { typedPath } from './input.js';
import { engineFlag, example, jsonFlag } from './options.js';
import { createProgress } from './progress.js';
import { notWritten, type Session, withSession } from './session.js';
import { note, printResult } from './terminal.js';

interface Flags {
  readonly json?: boolean;
  readonly engine?: 'redis' | 'embedded';
}

/** `ledger`: the ledger as a file, for a backup or another engine. */
export function define(command: Command): Run {
  command
    .addArgument(new Argument('<action>', 'export to a file, or import from one').choices(['export', 'import']))
    .argument('<file>', 'one JSON document a line; - is stdout or stdin')
    .addOption(jsonFlag())
    .addOption(engineFlag());
  example(
    command,
    'npm run ledger export ledger.ndjson',
    'REDIS_URL=redis://127.0.0.1:6379 npm run ledger import ledger.ndjson -- --engine redis',
  );
  return () => {
    const flags: Flags = command.opts();
    const [action, file = '-'] = command.args;
    const isExport = action === 'export';
    const ofAction = isExport ? { interrupted: notWritten(file) } : { file };
    return withSession({ engine: flags.engine, kind: 'batch', ...ofAction }, (session) =>
      (isExport ? writeLedger : readLedger)(session, typedPath(file), flags),
    );
  };
}

async function writeLedger({ engine, shutdown }: Session, file: string, { json = false }: Flags): Promise<number> {
  const target = await resolveTarget(file, null);
  const { value: account } = await engine.store.document<LedgerAccount>('account').read();
  let entries = 0;
  const unreadable = new Set<string>();
  const lines = ledgerLines(engine.store, account, new Date(), (key) => unreadable.add(key));
  await writeTo(
    target,
    counted(lines, (written) => {
      entries += written;
    }),
    { signal: shutdown.signal, mode: 0o600 },
  );
  // What the file is and how many entries it has are lines, too.
  entries -= 2;
  const found = unreadable.size === 0 ? {} : { unreadable: [...unreadable] };
  if (file === '-') note(`exported ${entriesOf(entries)}`);
  else printResult(json, { file, entries, ...found }, () => `${file}: ${entriesOf(entries)}`);
  if (unreadable.size > 0) note(unreadableLine([...unreadable]));
  return EXIT.done;
}

const MAX_KEYS_SHOWN = 5;

function unreadableLine(keys: readonly string[]): string {
  const shown = keys.slice(0, MAX_KEYS_SHOWN).join(', ');
  const more = keys.length > MAX_KEYS_SHOWN ? ' and others' : '';
  return `${entriesOf(keys.length)} of the ledger cannot be read (${shown}${more}): in the file as held, so that nothing sends the ${keys.length === 1 ? 'row' : 'rows'} again; look for them at Zoho.`;
}

async function* counted(lines: AsyncIterable<string>, count: (lines: number) => void): AsyncGenerator<string> {
  for await (const text of lines) {
    count(text.split('\n').length - 1);
    yield text;
  }
}

async function readLedger({ engine, shutdown }: Session, file: string, { json = false }: Flags): Promise<number> {
  const progress = createProgress('import');
  const input = file === '-' ? process.stdin : (await open(file)).createReadStream();
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY, signal: shutdown.signal });
  try {
    const report = await importLedger(engine.store, lines, {
      checkAccount: async (account) => {
        if (account !== null) await bindStore(engine.store, account, 'the file comes from');
      },
      onProgress: (entries) => progress.update(entries, entries),
    });
    shutdown.signal.throwIfAborted();
    printResult(json, { file, ...report }, () => summary(report));
    return report.conflicts > 0 ? EXIT.rowsLeftOut : EXIT.done;
  } finally {
    progress.stop();
    lines.close();
    input.destroy();
  }
}

function summary({ entries, added, stronger, known, conflicts, forgotten }: ImportReport): string {
  const lines = [
    `${entriesOf(entries)}: ${formatCount(added)} added, ${formatCount(stronger)} brought up to date, ${formatCount(known)} known already.`,
  ];
  if (conflicts > 0) {
    lines.push(`${entriesOf(conflicts)} left out: this ledger has another enrichment for the row, and keeps it.`);
  }
  if (forgotten > 0) lines.push(`${entriesOf(forgotten)} left out: they were forgotten here, and stay so.`);
  return lines.join('\n');
}

function entriesOf(entries: number): string {
  return `${formatCount(entries)} ${entries === 1 ? 'entry' : 'entries'}`;
}
