// Ends with 0 when the address answers with a 2xx within a few seconds. Without an address it looks for the worker of this
// container, from ZIA_METRICS_PORT on (one that finds it taken uses the next free port), and ends with 0 unless that worker
// is stuck: a stopped fleet or an engine that is away is nothing that a restart mends. The image has Node and no curl.
import { readFileSync } from 'node:fs';

const PORTS_TRIED = 100;
const STUCK = ['FETCH_LOOP_STUCK', 'ROWS_STUCK'];

const ask = (url) => fetch(url, { signal: AbortSignal.timeout(2_000) }).catch(() => null);

/** As the worker tells it: clock ticks since boot. */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return null;
  }
}

async function ownWorker() {
  const first = Number(process.env.ZIA_METRICS_PORT || 9464);
  for (let port = first; port < first + PORTS_TRIED && port < 65_536; port += 1) {
    const answer = await ask(`http://127.0.0.1:${port}/healthz`);
    const [pid = '', start = ''] = (answer?.headers.get('x-zia-process') ?? '').split(' ');
    if (/^\d+$/.test(pid) && start !== '' && startOf(pid) === start) return `http://127.0.0.1:${port}`;
  }
  return null;
}

async function isWell() {
  const worker = await ownWorker();
  const answer = worker === null ? null : await ask(`${worker}/readyz`);
  const told = await answer?.json().catch(() => null);
  return Array.isArray(told?.reasons) && !told.reasons.some(({ code }) => STUCK.includes(code));
}

const [address] = process.argv.slice(2);
process.exitCode = (address === undefined ? await isWell() : (await ask(address))?.ok) ? 0 : 1;
