// Ends with 0 when the address answers with a 2xx within a few seconds; without one, a worker's. The image has Node and no curl.
const [address = `http://127.0.0.1:${process.env.ZIA_METRICS_PORT || 9464}/healthz`] = process.argv.slice(2);
const answer = await fetch(address, { signal: AbortSignal.timeout(4_000) }).catch(() => null);
process.exitCode = answer?.ok ? 0 : 1;
