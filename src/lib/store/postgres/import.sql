-- Entries of another ledger.

create or replace function zia.strength(state text) returns integer language sql immutable as
$$ select array_position(array['cleared', 'uncertain', 'held', 'sending', 'scheduled'], state) $$;

create or replace function zia.is_finished(final text) returns boolean language sql immutable as
$$ select coalesce(final, '') not in ('', 'UNFINISHED') $$;

create or replace function zia.import(args text[]) returns text[] language plpgsql as $$
declare
  v_reply text[] := '{}';
  v_key text;
  v_state text;
  v_id text;
  v_final text;
  v_entry zia.ledger;
  v_owner text;
  -- What the gauge changes by, once for all: each change of its one row leaves a version that the next has to pass.
  v_spent bigint := 0;
  v_scheduled bigint := 0;
  v_pending bigint := 0;
begin
  for i in 1 .. coalesce(cardinality(args), 0) by 14 loop
    v_key := args[i];
    v_state := args[i + 1];
    v_id := nullif(args[i + 5], '');
    v_final := nullif(args[i + 10], '');
    v_owner := null;
    select * into v_entry from zia.ledger where key = v_key;
    if v_id is not null then v_owner := zia.owner_of(v_id); end if;
    if v_owner = '-' then
      v_reply := v_reply || 'forgotten'::text;
      continue;
    end if;
    if v_owner <> v_key or (v_entry.state = 'scheduled' and v_state = 'scheduled' and v_entry.enrichment_id <> v_id) then
      v_reply := v_reply || 'conflict'::text;
      continue;
    end if;
    -- The row was sent again since.
    if v_owner is not null and v_entry.key is not null and v_entry.enrichment_id is distinct from v_id then
      v_reply := v_reply || 'known'::text;
      continue;
    end if;
    if zia.strength(v_entry.state) > zia.strength(v_state) or (v_entry.state = v_state
        and not (v_state = 'scheduled' and zia.is_finished(v_final) and not zia.is_finished(v_entry.final_status))) then
      -- Settled after its claim was lost: what was sent is all that it lacks.
      if v_entry.sent = zia.nothing_sent() and v_entry.enrichment_id = v_id then
        update zia.ledger set sent = args[i + 8] where key = v_key;
        perform zia.index_entry(v_key, args[i + 13]);
        v_reply := v_reply || 'stronger'::text;
        continue;
      end if;
      v_reply := v_reply || 'known'::text;
      continue;
    end if;
    -- What may be given back later is counted; what is at Zoho was counted where it was sent.
    if v_state <> 'scheduled' and zia.is_counted(v_state, args[i + 2])
        and not zia.is_counted(v_entry.state, v_entry.call_id) then
      v_spent := v_spent + 1;
    end if;
    insert into zia.ledger (key, state, call_id, sent_at, sends, enrichment_id, scheduled_at, reason, sent, notes,
        final_status, finished_at)
      values (v_key, v_state, args[i + 2], args[i + 3]::bigint, args[i + 4]::integer, v_id,
        nullif(args[i + 6], '')::bigint, args[i + 7], args[i + 8], args[i + 9], v_final, nullif(args[i + 11], '')::bigint)
      on conflict (key) do update set state = excluded.state, call_id = excluded.call_id, sent_at = excluded.sent_at,
        sends = greatest(ledger.sends, excluded.sends), enrichment_id = excluded.enrichment_id,
        scheduled_at = excluded.scheduled_at, reason = excluded.reason, sent = excluded.sent, notes = excluded.notes,
        final_status = excluded.final_status, finished_at = excluded.finished_at;
    perform zia.index_entry(v_key, args[i + 13]);
    if v_state = 'scheduled' then
      if v_entry.state is distinct from 'scheduled' then v_scheduled := v_scheduled + 1; end if;
      delete from zia.orphan where id = v_id;
      if v_final is null then
        insert into zia.pending values (v_key, args[i + 6]::bigint) on conflict (key) do nothing;
        if found then v_pending := v_pending + 1; end if;
      else
        delete from zia.pending where key = v_key;
        if found then v_pending := v_pending - 1; end if;
        -- It may have finished before the rows whose values are to be removed next.
        delete from zia.document where name = 'retention';
      end if;
      if args[i + 12] <> '' then
        insert into zia.result values (v_key, args[i + 12]) on conflict (key) do update set data = excluded.data;
      end if;
    end if;
    v_reply := v_reply || case when v_entry.key is null then 'added' else 'stronger' end;
  end loop;
  update zia.gauge set spent = spent + v_spent, scheduled = scheduled + v_scheduled, pending = pending + v_pending
    where (v_spent, v_scheduled, v_pending) <> (0, 0, 0);
  return v_reply;
end $$;
