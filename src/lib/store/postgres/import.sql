-- Entries of another ledger.

create or replace function zia.strength(state text) returns integer language sql immutable as
$$ select array_position(array['cleared', 'uncertain', 'held', 'sending', 'scheduled'], state) $$;

create or replace function zia.is_finished(final text) returns boolean language sql immutable as
$$ select coalesce(final, '') not in ('', 'UNFINISHED') $$;

-- The entries of one call have different keys and different ids, so they are judged at once, by what was there before. No table is
-- joined as a whole: a plan made while it was small would read all of it for each call.
create or replace function zia.import(args text[]) returns text[] language plpgsql as $$
declare
  v_reply text[];
  v_keys text[];
  v_aliases text[];
  -- What the gauge changes by, once for all: each change of its one row leaves a version that the next has to pass.
  v_spent bigint;
  v_scheduled bigint;
  v_pending bigint;
begin
  with given as (
    -- The whole array is walked to each element that is asked for by its place, so it is taken apart once.
    select i, f[1] as key, f[2] as state, f[3] as call_id, f[4]::bigint as sent_at, f[5]::integer as sends,
      nullif(f[6], '') as id, nullif(f[7], '')::bigint as scheduled_at, f[8] as reason, f[9] as sent, f[10] as notes,
      nullif(f[11], '') as final, nullif(f[12], '')::bigint as finished_at, f[13] as data, f[14] as aliases
    from (select (n - 1) / 14 as i, array_agg(arg order by n) as f
      from unnest(args) with ordinality flat (arg, n) group by 1) fields
  ), judged as materialized (
    select given.*, known.state as known_state, known.call_id as known_call,
      case
        when owner = '-' then 'forgotten'
        when owner <> given.key
          or (known.state = 'scheduled' and given.state = 'scheduled' and known.enrichment_id <> id) then 'conflict'
        -- The row was sent again since.
        when owner is not null and known.key is not null and known.enrichment_id is distinct from id then 'known'
        when zia.strength(known.state) > zia.strength(given.state) or (known.state = given.state
            and not (given.state = 'scheduled' and zia.is_finished(final) and not zia.is_finished(known.final_status)))
          -- Settled after its claim was lost: what was sent is all that it lacks.
          then case when known.sent = zia.nothing_sent() and known.enrichment_id = id then 'sent' else 'known' end
        when known.key is null then 'added'
        else 'stronger'
      end as verdict
    from given
      left join lateral (select * from zia.ledger where key = given.key limit 1) known on true
      cross join lateral (select zia.owner_of(id) as owner) owned_by
  ), better as materialized (select * from judged where verdict in ('added', 'stronger')
  ), at_zoho as materialized (select * from better where state = 'scheduled'
  ), only_sent as (
    update zia.ledger set sent = (select sent from judged where judged.key = ledger.key)
      where key = any (array(select key from judged where verdict = 'sent'))
  ), entries as (
    insert into zia.ledger (key, state, call_id, sent_at, sends, enrichment_id, scheduled_at, reason, sent, notes,
        final_status, finished_at)
      select key, state, call_id, sent_at, sends, id, scheduled_at, reason, sent, notes, final, finished_at from better
      on conflict (key) do update set state = excluded.state, call_id = excluded.call_id, sent_at = excluded.sent_at,
        sends = greatest(ledger.sends, excluded.sends), enrichment_id = excluded.enrichment_id,
        scheduled_at = excluded.scheduled_at, reason = excluded.reason, sent = excluded.sent, notes = excluded.notes,
        final_status = excluded.final_status, finished_at = excluded.finished_at
  ), owned as (
    delete from zia.orphan where id = any (array(select id from at_zoho))
  ), begun as (
    insert into zia.pending select key, scheduled_at from at_zoho where final is null
      on conflict (key) do nothing returning 1
  ), ended as (
    delete from zia.pending where key = any (array(select key from at_zoho where final is not null)) returning 1
  ), retention as (
    -- One may have finished before the rows whose values are to be removed next.
    delete from zia.document where name = 'retention' and exists (select from at_zoho where final is not null)
  ), results as (
    insert into zia.result select key, data from at_zoho where data <> ''
      on conflict (key) do update set data = excluded.data
  )
  select coalesce(array_agg(case verdict when 'sent' then 'stronger' else verdict end order by i), '{}'),
    array_agg(key order by i) filter (where verdict in ('added', 'stronger', 'sent')),
    array_agg(aliases order by i) filter (where verdict in ('added', 'stronger', 'sent')),
    -- What may be given back later is counted; what is at Zoho was counted where it was sent.
    (select count(*) from better where state <> 'scheduled' and zia.is_counted(state, call_id)
      and not zia.is_counted(known_state, known_call)),
    (select count(*) from at_zoho where known_state is distinct from 'scheduled'),
    (select count(*) from begun) - (select count(*) from ended)
  into v_reply, v_keys, v_aliases, v_spent, v_scheduled, v_pending from judged;
  perform zia.index_entry(entry.key, entry.aliases) from unnest(v_keys, v_aliases) entry (key, aliases);
  update zia.gauge set spent = spent + v_spent, scheduled = scheduled + v_scheduled, pending = pending + v_pending
    where (v_spent, v_scheduled, v_pending) <> (0, 0, 0);
  return v_reply;
end $$;
