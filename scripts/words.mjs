// Part of `npm run lint`: one word for one thing. Fails on words that the code has left behind, with the word to use.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const LEFT_BEHIND = [
  [
    /\bplace(?:Lease|Freed|Queue)|\b(?:free|take|has|v)_places?\b|\bplaces? in flight\b|\bslot (?:and|or) place\b/i,
    'permit',
  ],
  [/\b(?:more|all|their|pace,) places\b/, 'permits'],
  [/\bhold(?:UntilMs|Reason)\b|\bheldSinceMs\b/, 'backoffUntilMs, backoffReason, backoffSinceMs'],
  [/\bprobing\b|\bprobeTaken\b|\bcontrol\.probe\b/, 'canary'],
  [/\bhasDoubts|\bdoubt\(|\brows? in doubt\b/, 'uncertain'],
  [/\bstrays?\b|\bstrayRows\b/, 'orphan'],
  [/\bstore\.cell\b|\bCellName\b|\bread-cell\b|\bchange-cell\b/, 'document'],
  [/\bvitals\b/i, 'fleetStats'],
  [/\bkind: '(?:standby|defer|dead)'/, 'requeue, snooze, discard'],
  [/\bkind: '(?:busy)'/, 'no-permit'],
  [/\b[jJ]obFates?\b|\bkeysWithJob\b/, 'jobStatuses, existingJobs'],
  [/\beffortOf\b|\bEffort\b/, 'estimate'],
  [/\bmaySpend\b|\bstoreOfNobody\b|\btakeFirstLook\b/, 'confirmCost, createMemoryStore, preflight'],
  [/\bFileCases?\b/, 'UploadedFile'],
  [/\bOpenCase\b|\bfile-cases\b/, 'OpenFile'],
  [/\bFileDesk\b|\bfile-desk\b/, 'FileActions'],
  [/\b(?:Fleet)?Picture\b/, 'OverviewState, FleetSnapshot'],
  [/\bbarren\b/i, 'pagesWithoutPending'],
  [/\bResultTaker|\btake-results\b/, 'ResultFetcher'],
  [/\bsort(?:Rows|edRow)|\bsorted-rows\b/i, 'classifyRows'],
  [/\bstandby\b/i, 'requeue, held-back'],
  [/\blookableAtMs\b|\baliveMs\b|\bchangeLed\b/, 'safeToListAtMs, lastSeenMs, changeLeasedBy'],
  [/\bserverMet\b|\bserverWatch\b/, 'history'],
  [/\b(?:Worker)?Signs\b(?!\/)|\bworker-signs\b/, 'readiness, WorkerHealth'],
  [/\blookAround\b|\bfirst-look\b/, 'preflight'],
  [/\bbefore-spending\b|\bcompose\.js\b|\bno-store\.js\b/, 'confirm-cost, start-worker, memory-store'],
  [/\bharmless\(/, 'escapeFormula'],
  [/\bschema\.sql\b|\bprelude\b/i, 'postgres/*.sql, redis/shared/*.lua'],
  [/\b(?:MOST|LONGEST)_[A-Z]/, 'MAX_'],
];

const files = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', 'src', 'test', 'bench', 'docs'],
  { encoding: 'utf8' },
)
  .split('\n')
  .filter((path) => /\.(?:ts|mjs|js|lua|sql|md)$/.test(path) && !path.startsWith('test/fixtures/') && existsSync(path));

let found = 0;
for (const path of files) {
  for (const [at, line] of readFileSync(path, 'utf8').split('\n').entries()) {
    for (const [pattern, instead] of LEFT_BEHIND) {
      const word = pattern.exec(line)?.[0];
      if (word === undefined) continue;
      found += 1;
      console.error(`${path}:${at + 1}: "${word}" is left behind: use ${instead}.`);
    }
  }
}
if (found > 0) process.exit(1);
