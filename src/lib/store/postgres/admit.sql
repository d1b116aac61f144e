-- The one step before a row is sent.

-- Lets an entry be found by its aliases, which are separated by blanks.
create or replace function zia.index_entry(v_key text, aliases text) returns void language plpgsql as $$
begin
  insert into zia.alias as known select unnest(string_to_array(nullif(aliases, ''), ' ')), v_key
    on conflict (alias) do update set owners = known.owners || ' ' || v_key
      where strpos(known.owners, v_key) = 0 and cardinality(string_to_array(known.owners, ' ')) < :MAX_ALIAS_OWNERS;
end $$;

-- A row that is refreshed: its id stays owned, and its result until the next one comes.
create or replace function zia.leave_earlier(entry zia.ledger) returns void language plpgsql as $$
begin
  if entry.state is distinct from 'scheduled' then return; end if;
  update zia.ledger set enrichment_id = null, scheduled_at = null where key = entry.key;
  if entry.enrichment_id is not null then
    insert into zia.past_enrichment values (entry.enrichment_id, entry.key) on conflict do nothing;
  end if;
end $$;

-- The answer to a row that was sent under other columns; the keys that the caller has to judge first; or null.
create or replace function zia.rival_of(v_now double precision, a jsonb) returns text[] language plpgsql as $$
declare
  v_owner text;
  v_other zia.ledger;
  v_unknown text[] := array['rivals'];
begin
  for v_owner in select distinct unnest(string_to_array(owners, ' ')) from zia.alias
      where alias = any (string_to_array(nullif(a ->> 'aliases', ''), ' ')) loop
    continue when v_owner = a ->> 'key' or strpos(a ->> 'others', v_owner) > 0;
    if strpos(a ->> 'fits', v_owner) = 0 then
      v_unknown := v_unknown || v_owner;
      continue;
    end if;
    select * into v_other from zia.ledger where key = v_owner;
    if v_other.state = 'scheduled' then return array['scheduled', coalesce(v_other.enrichment_id, '')]; end if;
    if v_other.state in ('uncertain', 'held') then return array['uncertain', (v_other.state = 'held')::int::text]; end if;
    if v_other.state = 'sending' then
      return array['claimed', zia.ms(greatest(v_other.sent_at + (a ->> 'lostAfterMs')::double precision - v_now, :RIVAL_WAIT_MS))];
    end if;
  end loop;
  return case when cardinality(v_unknown) > 1 then v_unknown end;
end $$;

create or replace function zia.admit(args text[]) returns text[] language plpgsql as $$
declare
  a constant jsonb := args[1]::jsonb;
  v_key constant text := a ->> 'key';
  v_call constant text := a ->> 'callId';
  v_permits integer := a ->> 'maxInFlight';
  v_lease_ms constant double precision := a ->> 'leaseMs';
  v_worker constant text := a ->> 'worker';
  v_now constant double precision := zia.clock();
  v_json constant text := zia.control();
  v_control constant json := nullif(v_json, '')::json;
  v_epoch constant text := coalesce(v_control ->> 'epoch', '0');
  v_canary json;
  v_entry zia.ledger;
  v_refresh boolean;
  v_orphan record;
  v_ceiling record;
  v_refused text[];
  v_left double precision;
  v_spent bigint;
begin
  select * into v_entry from zia.ledger where key = v_key;
  v_refresh := v_entry.state = 'scheduled' and v_entry.final_status in ('COMPLETED', 'DATA_NOT_FOUND')
    and v_entry.finished_at < (a ->> 'refreshBefore')::double precision;
  if v_entry.state = 'scheduled' and v_refresh is not true then return array['scheduled', v_entry.enrichment_id]; end if;
  if v_entry.state = 'uncertain' then return array['uncertain', '0']; end if;
  if v_entry.state = 'held' then return array['uncertain', '1']; end if;
  -- Unreadable, or of a newer version: it may have been sent.
  if v_entry.state not in ('sending', 'cleared', 'scheduled') then return array['uncertain', '1']; end if;
  if v_entry.state = 'sending' then
    if v_entry.call_id = v_call then
      perform zia.keep_permit(v_call, v_now + v_lease_ms);
      return array['go', v_epoch, v_entry.sent_at::text, v_entry.sends::text, zia.grow_number(v_worker),
        (select spent from zia.gauge)::text];
    end if;
    v_left := v_entry.sent_at + (a ->> 'lostAfterMs')::double precision - v_now;
    if v_left > 0 and v_entry.sent_at <= v_now + :CLOCK_TOLERANCE_MS then return array['claimed', zia.ms(v_left)]; end if;
    update zia.ledger set state = 'uncertain', reason = 'CLAIM_LOST',
      sent_at = case when v_left > 0 then zia.long_ago(v_now) else sent_at end where key = v_key;
    return array['uncertain', '0'];
  end if;

  if v_control ->> 'mode' = 'stopped' then return array['held-back', v_json, '']; end if;
  v_left := zia.backoff_left(v_now, v_control);
  if v_left > 0 then return array['held-back', v_json, zia.ms(v_left)]; end if;
  -- The store went back in time, or that is being looked into: what Zoho has is not known.
  if zia.is_looking() or (v_worker <> ''
      and coalesce((select number from zia.worker where worker_id = v_worker), 0) < (a ->> 'number')::bigint) then
    return array['held-back', v_json, zia.ms(:LOOK_WAIT_MS), 'looking'];
  end if;
  if (a ->> 'mayBeKnown')::boolean and coalesce(v_entry.state, 'cleared') = 'cleared' then
    v_refused := zia.rival_of(v_now, a);
    if v_refused is not null then return v_refused; end if;
  end if;
  v_orphan := zia.orphan_for(v_key, a ->> 'digests');
  if (v_orphan.orphan).id is not null then
    v_orphan.is_held := v_orphan.is_held or (a ->> 'choice')::boolean;
    perform zia.leave_earlier(v_entry);
    insert into zia.ledger (key, state, call_id, sent_at, sends, reason, sent)
      values (v_key, case when v_orphan.is_held then 'held' else 'uncertain' end, 'orphan.' || (v_orphan.orphan).id,
        (v_orphan.orphan).created_at, 1,
        case when not v_orphan.is_held then 'ORPHAN' when (v_orphan.orphan).held = '1' then 'LOOKUP_UNPROVEN' else 'AMBIGUOUS' end,
        left(a ->> 'place', -1) || ',' || substr((v_orphan.orphan).echo, 2))
      on conflict (key) do update set state = excluded.state, call_id = excluded.call_id, sent_at = excluded.sent_at,
        reason = excluded.reason, sent = excluded.sent, notes = '', final_status = null, finished_at = null;
    perform zia.index_entry(v_key, a ->> 'aliases');
    return array['uncertain', case when v_orphan.is_held then '1' else '0' end];
  end if;
  v_ceiling := zia.ceiling_for(v_now, v_control, (a ->> 'keep')::bigint);
  if v_ceiling.reason is not null then return array['held-back', v_json, v_ceiling.wait_for, v_ceiling.reason]; end if;
  v_canary := v_control -> 'canary';
  if v_control ->> 'mode' = 'canary' and json_typeof(v_canary) = 'object' then
    if v_canary ->> 'key' is null then return array['canary-open', v_json]; end if;
    if v_canary ->> 'key' <> v_key or v_canary ->> 'callId' <> v_call then
      v_left := (v_canary ->> 'leaseUntilMs')::double precision - v_now;
      if (v_left < 0 or v_left > :CANARY_LEASE_MS + :CLOCK_TOLERANCE_MS)
          and not zia.has_permit(v_now, v_canary ->> 'callId') then
        return array['canary-open', v_json];
      end if;
      return array['held-back', v_json, zia.ms(:CANARY_WAIT_MS)];
    end if;
  end if;

  v_permits := least(v_permits, (v_control ->> 'maxInFlight')::integer);
  v_refused := zia.start_call(v_now, v_call, (a ->> 'callsPerSecond')::double precision, v_permits, v_lease_ms,
    (a ->> 'slotMs')::double precision);
  if v_refused is not null then return v_refused; end if;
  perform zia.leave_earlier(v_entry);
  insert into zia.ledger (key, state, call_id, sent_at, sends, sent)
    values (v_key, 'sending', v_call, floor(v_now), 1, a ->> 'sent')
    on conflict (key) do update set state = 'sending', call_id = excluded.call_id, sent_at = excluded.sent_at,
      sends = ledger.sends + 1, sent = excluded.sent, reason = '', notes = '', final_status = null, finished_at = null
    returning * into v_entry;
  perform zia.index_entry(v_key, a ->> 'aliases');
  update zia.gauge set spent = spent + 1 returning spent into v_spent;
  return array['go', v_epoch, v_entry.sent_at::text, v_entry.sends::text, zia.grow_number(v_worker), v_spent::text];
end $$;
