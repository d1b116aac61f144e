-- Put in front of every script here. KEYS[1] is what all names begin with: they share one hash tag, so a script that is
-- given one of them runs where all of them are, on Redis Cluster too.
-- Names in capitals are numbers, see ../../script-numbers.ts.
-- All are named on a cluster only (see redis-operations.ts), for it costs a client 3 microseconds a call.
--
-- ledger      hash    identity key -> entry line (see entry-line.ts): a field a line; #worker id -> that worker's number
-- ids         hash    enrichment id -> identity key: an id belongs to one key; '-' for one whose row is forgotten
-- past        hash    identity key -> ids it had before the present one, separated by blanks
-- aliases     hash    alias -> the identity keys that have it (see core/other-columns.ts), separated by blanks
-- sending     zset    identity key by time sent: claims
-- uncertain   zset    identity key by time sent
-- held        zset    identity key by time sent
-- pending     zset    identity key by time scheduled: submitted, result not collected yet
-- failed      zset    identity key by time finished: submitted, and Zoho's own work on it failed
-- enriched    zset    identity key by time finished: Zoho found something
-- notfound    zset    identity key by time finished: Zoho found nothing
-- inflight    zset    call id by end of its lease
-- workers     zset    worker id by end of its lease; kept for a day after it
-- pace        string  the next free slot, epoch milliseconds
-- spent       string  claims made, less those given back: what budget and reserve are measured by
-- control     string  JSON, the control state
-- results     hash    identity key -> JSON, what Zoho found
-- history     string  JSON, what is known of the store's past (see core/history.ts)
-- alive       string  the last sign of life: store's clock, and Zoho's or '', separated by a blank
-- orphans     hash    enrichment id -> a field a line: created at, held (0/1), digests (see core/reconcile.ts), rows that
--                     were found to equal it, echo (JSON)
-- digests     hash    digest of an echo's field -> ids of the orphans that have it, separated by blanks
local base = KEYS[1]
local ledger, ids, results = base .. ':ledger', base .. ':ids', base .. ':results'
local aliases, past = base .. ':aliases', base .. ':past'
local sending, uncertain, held = base .. ':sending', base .. ':uncertain', base .. ':held'
local pending, failed, inflight = base .. ':pending', base .. ':failed', base .. ':inflight'
local workers, pace, control_key = base .. ':workers', base .. ':pace', base .. ':document:control'
local history_key, alive_key = base .. ':document:history', base .. ':alive'
local orphans, orphan_digests = base .. ':orphans', base .. ':digests'
local spent_key = base .. ':spent'
