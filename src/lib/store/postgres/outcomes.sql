-- What came of a claim.

create or replace function zia.settle(args text[]) returns text[] language plpgsql as $$
declare
  v_key constant text := args[1];
  v_id constant text := args[3];
  v_now constant double precision := zia.clock();
  v_entry zia.ledger;
  v_owner text;
begin
  perform zia.free_permit(args[2]);
  select * into v_entry from zia.ledger where key = v_key;
  if v_entry.state = 'scheduled' then
    if v_entry.enrichment_id = v_id then
      return array[zia.control(), zia.ms(v_now), 'settled', zia.grow_number(args[5])];
    end if;
    return array[zia.control(), zia.ms(v_now), 'conflict', v_key, v_entry.enrichment_id];
  end if;
  v_owner := zia.owner_of(v_id);
  if v_owner <> v_key then return array[zia.control(), zia.ms(v_now), 'conflict', v_owner, v_id]; end if;
  insert into zia.ledger (key, state, call_id, sent_at, sends, enrichment_id, scheduled_at, sent, notes)
    values (v_key, 'scheduled', args[2], floor(v_now), 1, v_id, floor(v_now), zia.nothing_sent(), args[4])
    on conflict (key) do update set state = 'scheduled', enrichment_id = excluded.enrichment_id,
      scheduled_at = excluded.scheduled_at, reason = '', notes = excluded.notes, final_status = null, finished_at = null;
  insert into zia.pending values (v_key, floor(v_now)) on conflict (key) do nothing;
  if found then update zia.gauge set pending = pending + 1; end if;
  -- Accepted all the same, or adopted from an orphan: no claim was counted for it.
  update zia.gauge set scheduled = scheduled + 1,
    spent = spent + case when zia.is_counted(v_entry.state, v_entry.call_id) then 0 else 1 end;
  delete from zia.orphan where id = v_id;
  return array[zia.control(), zia.ms(v_now), 'settled', zia.grow_number(args[5])];
end $$;

create or replace function zia.release(args text[]) returns text[] language plpgsql as $$
declare
  v_now constant double precision := zia.clock();
begin
  perform zia.free_permit(args[2]);
  perform zia.give_back(zia.is_counted(state, call_id)) from zia.ledger
    where key = args[1] and call_id = args[2] and state in ('sending', 'uncertain');
  delete from zia.ledger
    where key = args[1] and call_id = args[2] and state in ('sending', 'uncertain') and sends = 1;
  update zia.ledger set state = 'cleared', sends = sends - 1, reason = ''
    where key = args[1] and call_id = args[2] and state in ('sending', 'uncertain');
  return array[zia.control(), zia.ms(v_now)];
end $$;

create or replace function zia.mark_uncertain(args text[]) returns text[] language plpgsql as $$
declare
  v_now constant double precision := zia.clock();
begin
  perform zia.free_permit(args[2]);
  update zia.ledger set state = 'uncertain', reason = args[3]
    where key = args[1] and call_id = args[2] and state = 'sending';
  return array[zia.control(), zia.ms(v_now)];
end $$;

create or replace function zia.clear(args text[]) returns text[] language plpgsql as $$
begin
  perform zia.give_back(zia.is_counted(state, call_id)) from zia.ledger
    where key = args[1] and call_id = args[2] and state in ('uncertain', 'held');
  update zia.ledger set state = 'cleared', reason = ''
    where key = args[1] and call_id = args[2] and state in ('uncertain', 'held', 'cleared');
  return array[case when found then '1' else '0' end];
end $$;

-- A row that Zoho accepted and failed; a person asked for it again.
create or replace function zia.reopen(args text[]) returns text[] language plpgsql as $$
begin
  update zia.ledger set state = 'cleared', reason = '', enrichment_id = null, scheduled_at = null, final_status = null,
      finished_at = null
    where key = args[1] and enrichment_id = args[2] and state = 'scheduled' and final_status = 'FAILED';
  if found then
    insert into zia.past_enrichment values (args[2], args[1]) on conflict do nothing;
    return array['1'];
  end if;
  return array[case when exists (select from zia.past_enrichment join zia.ledger using (key)
    where id = args[2] and key = args[1] and state = 'cleared') then '1' else '0' end];
end $$;

create or replace function zia.hold(args text[]) returns text[] language plpgsql as $$
begin
  update zia.ledger set state = 'held', reason = case state when 'held' then reason else args[3] end
    where key = args[1] and call_id = args[2] and state in ('uncertain', 'held');
  return array[case when found then '1' else '0' end];
end $$;

create or replace function zia.mark_taken(args text[]) returns text[] language plpgsql as $$
declare
  v_now constant bigint := floor(zia.clock());
begin
  if exists (select from zia.ledger where key = args[1] and call_id = args[2] and state = 'scheduled' and enrichment_id is null) then
    return array['1'];
  end if;
  update zia.ledger set state = 'scheduled', reason = '', scheduled_at = v_now, final_status = 'UNFINISHED', finished_at = v_now
    where key = args[1] and call_id = args[2] and state = 'held';
  return array[case when found then '1' else '0' end];
end $$;

create or replace function zia.expire_claims(args text[]) returns text[] language plpgsql as $$
declare
  v_now constant double precision := zia.clock();
  v_keys text[];
begin
  select coalesce(array_agg(key), '{}') into v_keys from (
    select key from zia.ledger where state = 'sending'
      and (sent_at <= v_now - args[1]::double precision or sent_at >= v_now + :CLOCK_TOLERANCE_MS)
    order by sent_at, key limit args[2]::integer) lost;
  update zia.ledger set sent_at = zia.long_ago(v_now)
    where state in ('sending', 'uncertain') and sent_at >= v_now + :CLOCK_TOLERANCE_MS;
  update zia.ledger set state = 'uncertain', reason = 'CLAIM_LOST' where key = any (v_keys);
  return v_keys;
end $$;

create or replace function zia.finish(args text[]) returns text[] language plpgsql as $$
declare
  v_final constant text := (select final_status from zia.ledger where key = args[1] and state = 'scheduled');
begin
  -- A result of an id that the row had before, or that is forgotten, is dropped.
  if args[4] <> '' and not exists (select from zia.ledger where key = args[1] and enrichment_id = args[4]) then
    return array['0'];
  end if;
  if v_final = args[2] then return array['1']; end if;
  update zia.ledger set final_status = args[2], finished_at = floor(zia.clock())
    where key = args[1] and state = 'scheduled' and (v_final is null or v_final = 'UNFINISHED');
  if not found then return array['0']; end if;
  if args[3] <> '' then
    insert into zia.result values (args[1], args[3]) on conflict (key) do update set data = excluded.data;
  elsif args[2] in ('COMPLETED', 'DATA_NOT_FOUND') then
    -- What an earlier enrichment of the row found is kept until Zoho has said something else.
    delete from zia.result where key = args[1];
  end if;
  delete from zia.pending where key = args[1];
  if found then update zia.gauge set pending = pending - 1; end if;
  return array['1'];
end $$;
