-- The store on the embedded engine: one function an operation, the same arguments and replies as the Lua scripts in
-- ../redis (described there). Applied by the process that hosts the database whenever it changed, so it must be repeatable:
-- add columns with `alter table ... add column if not exists`.
create schema if not exists zia;

-- What this file and BullMQ's schema version were when they were last applied: a start with the same ones runs neither again.
create table if not exists zia.applied (one boolean primary key default true check (one), hash text not null);

create table if not exists zia.ledger (
  key           text collate "C" primary key,
  state         text not null,
  call_id       text not null,
  sent_at       bigint not null,
  sends         integer not null,
  enrichment_id text unique,
  scheduled_at  bigint,
  reason        text not null default '',
  sent          text not null,
  notes         text not null default ''
);
alter table zia.ledger add column if not exists final_status text;
alter table zia.ledger add column if not exists finished_at bigint;
create index if not exists ledger_open on zia.ledger (state, sent_at, key) where state in ('sending', 'uncertain', 'held');
create index if not exists ledger_failed on zia.ledger (finished_at, key) where final_status = 'FAILED';

create index if not exists ledger_ended on zia.ledger (final_status, finished_at, key) where final_status is not null;

-- Submitted rows whose result is not collected yet.
create table if not exists zia.pending (
  key          text collate "C" primary key,
  scheduled_at bigint not null
);
create index if not exists pending_age on zia.pending (scheduled_at);

-- The keys whose entries have an alias (see core/other-columns.ts), separated by blanks.
create table if not exists zia.alias (alias text collate "C" primary key, owners text not null);

-- Ids of rows that were sent again since, or forgotten (key '-'): owned, or a look at Zoho would take them for orphans.
create table if not exists zia.past_enrichment (id text primary key, key text collate "C" not null);
create index if not exists past_enrichment_key on zia.past_enrichment (key) where key <> '-';

-- What Zoho found.
create table if not exists zia.result (key text collate "C" primary key, data text not null);

create table if not exists zia.inflight (call_id text primary key, lease_end double precision not null);
create table if not exists zia.worker (worker_id text primary key, lease_end double precision not null);
alter table zia.worker add column if not exists number bigint not null default 0;
create table if not exists zia.document (name text primary key, value text not null);

-- Enrichments at Zoho that no entry owns, found by the digests of their echoes.
create table if not exists zia.orphan (
  id         text primary key,
  created_at bigint not null,
  held       text not null,
  digests    text not null,
  -- Keys of the rows that were found to equal it.
  rows       text not null default '',
  echo       text not null
);
alter table zia.orphan add column if not exists digests text not null default ',,';
alter table zia.orphan drop column if exists form, drop column if exists without_email;
create index if not exists orphan_name on zia.orphan (split_part(digests, ',', 1));
create index if not exists orphan_email on zia.orphan (split_part(digests, ',', 2));
create index if not exists orphan_website on zia.orphan (split_part(digests, ',', 3));

-- One row: the last sign of life, and the next free slot of the pace, and how many rows are scheduled and pending (counting a million rows takes
-- too long).
create table if not exists zia.gauge (
  one       boolean primary key default true check (one),
  next_slot double precision not null default 0,
  scheduled bigint not null default 0
);
insert into zia.gauge default values on conflict do nothing;
alter table zia.gauge add column if not exists pending bigint;
alter table zia.gauge add column if not exists alive text not null default '';
-- Claims made, less those given back: what budget and reserve are measured by.
alter table zia.gauge add column if not exists spent bigint not null default 0;
update zia.gauge set pending = (select count(*) from zia.pending) where pending is null;

create or replace function zia.clock() returns double precision language sql volatile as
$$ select extract(epoch from clock_timestamp())::double precision * 1000 $$;

create or replace function zia.ms(value double precision) returns text language sql immutable as
$$ select round(value::numeric, 3)::text $$;

create or replace function zia.control() returns text language sql volatile as
$$ select coalesce((select value from zia.document where name = 'control'), '') $$;

create or replace function zia.line(entry zia.ledger) returns text language sql immutable as
$$ select concat_ws(E'\n', entry.state, entry.call_id, entry.sent_at, entry.sends, coalesce(entry.enrichment_id, ''),
     coalesce(entry.scheduled_at::text, ''), entry.reason, entry.sent, entry.notes, entry.final_status, entry.finished_at) $$;

-- The key that an enrichment id belongs to; null when nobody owns it.
create or replace function zia.owner_of(v_id text) returns text language sql volatile as
$$ select coalesce((select key from zia.ledger where enrichment_id = v_id), (select key from zia.past_enrichment where id = v_id)) $$;

create or replace function zia.spacing(rate double precision) returns double precision language sql immutable as
$$ select 1000 / (rate * 0.98) $$;

-- The slot to wait for, or null when the call may go now; `used` is the slot it goes in.
create or replace function zia.pace_call(v_now double precision, rate double precision, slot double precision,
  out wait_for double precision, out used double precision) language plpgsql as $$
declare
  early_ms constant double precision := 1;
  late_ms constant double precision := 12;
  farthest_slot_ms constant double precision := 600000;
  v_next double precision;
begin
  if rate <= 0 then return; end if;
  used := slot;
  if slot is not null then
    if v_now < slot - early_ms then wait_for := slot; return; end if;
    if v_now <= slot + late_ms then return; end if;
  end if;
  select next_slot into v_next from zia.gauge;
  if v_next > v_now + farthest_slot_ms then v_next := 0; end if;
  used := greatest(v_now, v_next);
  update zia.gauge set next_slot = used + zia.spacing(rate);
  if used > v_now + early_ms then wait_for := used; end if;
end $$;

-- A time further ahead than the tolerance is from before the clock was set back.
create or replace function zia.clock_tolerance() returns double precision language sql immutable as $$ select 10000 $$;

-- No permit, and no sign of life of a worker, is kept for over 60 s: one that ends later is from before the clock was set back.
create or replace function zia.latest_lease_end(v_now double precision) returns double precision language sql immutable as
$$ select v_now + 60000 + zia.clock_tolerance() $$;

create or replace function zia.long_ago(v_now double precision) returns bigint language sql immutable as
$$ select floor(v_now - 86400000)::bigint $$;

create or replace function zia.has_permit(v_now double precision, call text) returns boolean language sql volatile as
$$ select exists (select from zia.inflight where call_id = call and lease_end > v_now
     and lease_end <= zia.latest_lease_end(v_now)) $$;

-- How long nothing may be sent.
create or replace function zia.backoff_left(v_now double precision, control json) returns double precision language sql volatile as
$$ select case when coalesce((control ->> 'backoffSinceMs')::double precision, 0) > v_now + zia.clock_tolerance() then 0
     else coalesce((control ->> 'backoffUntilMs')::double precision, 0) - v_now end $$;

create or replace function zia.is_looking() returns boolean language sql volatile as
$$ select exists (select from zia.document where name = 'history' and json_typeof(value::json -> 'look') = 'object') $$;

-- '' for a caller that is no worker.
create or replace function zia.grow_number(v_worker text) returns text language plpgsql as $$
declare
  v_number bigint;
begin
  if v_worker = '' then return '0'; end if;
  insert into zia.worker values (v_worker, zia.clock(), 1) on conflict (worker_id) do update set number = worker.number + 1
    returning number into v_number;
  return v_number::text;
end $$;

create or replace function zia.keep_permit(call text, v_end double precision) returns void language sql volatile as
$$ insert into zia.inflight values (call, v_end) on conflict (call_id) do update set lease_end = excluded.lease_end $$;

create or replace function zia.free_permit(call text) returns void language sql volatile as
$$ delete from zia.inflight where call_id = call $$;

-- Pace and permit for a call: null when it may go, else the answer to give.
create or replace function zia.start_call(v_now double precision, call text, rate double precision, permits integer,
  lease_ms double precision, slot double precision) returns text[] language plpgsql as $$
declare
  v_pace record;
begin
  v_pace := zia.pace_call(v_now, rate, slot);
  if v_pace.wait_for is not null then
    return array['not-yet', zia.ms(v_pace.wait_for - v_now), zia.ms(v_pace.wait_for)];
  end if;
  delete from zia.inflight where lease_end <= v_now or lease_end > zia.latest_lease_end(v_now);
  if not zia.has_permit(v_now, call) and (select count(*) from zia.inflight) >= permits then
    update zia.gauge set next_slot = v_pace.used where abs(next_slot - v_pace.used - zia.spacing(nullif(rate, 0))) < 0.01;
    return array['no-permit'];
  end if;
  perform zia.keep_permit(call, v_now + lease_ms);
  return null;
end $$;

-- Lets an entry be found by its aliases, which are separated by blanks. Eight keys for each tell as much as all.
create or replace function zia.index_entry(v_key text, aliases text) returns void language sql volatile as $$
  insert into zia.alias as known select unnest(string_to_array(nullif(aliases, ''), ' ')), v_key
    on conflict (alias) do update set owners = known.owners || ' ' || v_key
      where strpos(known.owners, v_key) = 0 and cardinality(string_to_array(known.owners, ' ')) < 8
$$;

-- How sure it is that what has the one digests caused what has the others: 3 all are equal, 2 other columns, 1 a name alone, 0 not.
create or replace function zia.fit_of(one text, other text) returns integer language plpgsql immutable as $$
declare
  a constant text[] := string_to_array(one, ',');
  b constant text[] := string_to_array(other, ',');
begin
  if one = other then return 3; end if;
  for i in 1 .. 3 loop
    if a[i] <> '' and b[i] <> '' and a[i] <> b[i] then return 0; end if;
  end loop;
  if a[3] <> '' and a[3] = b[3] then return 2; end if;
  if a[1] = '' or a[1] <> b[1] then return 0; end if;
  return case when a[2] <> '' and a[2] = b[2] then 2 else 1 end;
end $$;

-- The orphans that a row with these digests may have caused, with their fit.
create or replace function zia.orphans_like(wanted text) returns table (id text, fit integer, created_at bigint) language sql volatile as $$
  select one.id, zia.fit_of(wanted, digests), one.created_at from zia.orphan one
  where (split_part(digests, ',', 1) = nullif(split_part(wanted, ',', 1), '')
      or split_part(digests, ',', 2) = nullif(split_part(wanted, ',', 2), '')
      or split_part(digests, ',', 3) = nullif(split_part(wanted, ',', 3), ''))
    and zia.fit_of(wanted, digests) > 0
$$;

-- The orphan that a row may have caused, and whether a person has to decide; null when there is none. A row meets orphans of a
-- fit once: after that it was looked up, or a person has decided.
create or replace function zia.orphan_for(v_key text, wanted text, out orphan zia.orphan, out is_held boolean)
  language plpgsql as $$
declare
  v_fit integer;
  v_id text;
begin
  select alike.id, fit into v_id, v_fit from zia.orphans_like(wanted) alike join zia.orphan one on one.id = alike.id
    where position(v_key in one.rows) = 0 order by fit desc, one.created_at, one.id limit 1;
  if v_id is null then return; end if;
  select * into orphan from zia.orphan one where one.id = v_id;
  is_held := v_fit = 1 or orphan.held = '1' or orphan.rows <> '';
  update zia.orphan one set rows = one.rows || ' ' || v_key
    from zia.orphans_like(wanted) alike
    where alike.id = one.id and fit = v_fit and position(v_key in one.rows) = 0;
end $$;

-- An entry that was made of an orphan has no claim here that was counted.
create or replace function zia.is_counted(v_state text, call text) returns boolean language sql immutable as
$$ select coalesce(v_state <> 'cleared' and call not like 'orphan.%', false) $$;

create or replace function zia.give_back(counted boolean) returns void language sql volatile as
$$ update zia.gauge set spent = spent - 1 where counted $$;

-- The ceiling that another claim would be above: null when none is, else budget, reserve or allowance (Zoho has not told it), and
-- how long to wait, '' when nothing that is under way can give any back. `keep` is what is to be left of the allowance, 0 for none.
create or replace function zia.ceiling_for(v_now double precision, control json, keep bigint,
  out reason text, out wait_for text) language plpgsql as $$
declare
  stale_ms constant double precision := 900000;
  v_budget constant bigint := control -> 'budget' ->> 'ceiling';
  v_reserve constant json := control -> 'reserve';
  v_asked constant double precision := v_reserve ->> 'askedAtMs';
  v_spent bigint;
begin
  if v_budget is null and keep = 0 then return; end if;
  select spent into v_spent from zia.gauge;
  wait_for := zia.ms(250);
  if v_spent >= v_budget then
    reason := 'budget';
    if not exists (select from zia.ledger where state in ('sending', 'uncertain')) then wait_for := ''; end if;
  elsif keep > 0 and (v_asked is null or v_asked < v_now - stale_ms or v_asked > v_now + zia.clock_tolerance()) then
    reason := 'allowance';
  elsif keep > 0 and v_spent >= (v_reserve ->> 'ceiling')::bigint - keep then
    reason := 'reserve';
    -- Final when Zoho was asked with nothing under way, and nothing was claimed since.
    if v_reserve ->> 'quiet' = 'true' and (v_reserve ->> 'spent')::bigint = v_spent then wait_for := ''; end if;
  end if;
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
create or replace function zia.rival_of(v_now double precision, a json) returns text[] language plpgsql as $$
declare
  rival_wait_ms constant double precision := 1000;
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
      return array['claimed', zia.ms(greatest(v_other.sent_at + (a ->> 'lostAfterMs')::double precision - v_now, rival_wait_ms))];
    end if;
  end loop;
  return case when cardinality(v_unknown) > 1 then v_unknown end;
end $$;

create or replace function zia.admit(args text[]) returns text[] language plpgsql as $$
declare
  a constant json := args[1]::json;
  v_key constant text := a ->> 'key';
  v_call constant text := a ->> 'callId';
  v_places integer := a ->> 'maxInFlight';
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
    if v_left > 0 and v_entry.sent_at <= v_now + zia.clock_tolerance() then return array['claimed', zia.ms(v_left)]; end if;
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
    return array['held-back', v_json, zia.ms(1000), 'looking'];
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
    return array['uncertain', case when v_orphan.is_held then '1' else '0' end];
  end if;
  v_ceiling := zia.ceiling_for(v_now, v_control, (a ->> 'keep')::bigint);
  if v_ceiling.reason is not null then return array['held-back', v_json, v_ceiling.wait_for, v_ceiling.reason]; end if;
  v_canary := v_control -> 'canary';
  if v_control ->> 'mode' = 'canary' and json_typeof(v_canary) = 'object' then
    if v_canary ->> 'key' is null then return array['canary-open', v_json]; end if;
    if v_canary ->> 'key' <> v_key or v_canary ->> 'callId' <> v_call then
      v_left := (v_canary ->> 'leaseUntilMs')::double precision - v_now;
      if (v_left < 0 or v_left > 10000 + zia.clock_tolerance())
          and not zia.has_permit(v_now, v_canary ->> 'callId') then
        return array['canary-open', v_json];
      end if;
      return array['held-back', v_json, zia.ms(250)];
    end if;
  end if;

  v_places := least(v_places, (v_control ->> 'maxInFlight')::integer);
  v_refused := zia.start_call(v_now, v_call, (a ->> 'callsPerSecond')::double precision, v_places, v_lease_ms,
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

create or replace function zia.admit_call(args text[]) returns text[] language plpgsql as $$
declare
  v_call constant text := args[1];
  v_lease_ms constant double precision := args[4];
  v_now constant double precision := zia.clock();
  v_json constant text := zia.control();
  v_control constant json := nullif(v_json, '')::json;
  v_backoff_ms constant double precision := zia.backoff_left(v_now, v_control);
begin
  if zia.has_permit(v_now, v_call) then
    perform zia.keep_permit(v_call, v_now + v_lease_ms);
    return array['go'];
  end if;
  if v_backoff_ms > 0 then return array['held-back', v_json, zia.ms(v_backoff_ms)]; end if;
  return coalesce(zia.start_call(v_now, v_call, args[2]::double precision,
    least(args[3]::integer, (v_control ->> 'maxInFlight')::integer), v_lease_ms, nullif(args[5], '')::double precision),
    array['go']);
end $$;

create or replace function zia.finish_call(args text[]) returns text[] language plpgsql as $$
begin
  perform zia.free_permit(args[1]);
  return '{}';
end $$;

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
    values (v_key, 'scheduled', args[2], floor(v_now), 1, v_id, floor(v_now), '{"module":""}', args[4])
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
      and (sent_at <= v_now - args[1]::double precision or sent_at >= v_now + zia.clock_tolerance())
    order by sent_at, key limit args[2]::integer) lost;
  update zia.ledger set sent_at = zia.long_ago(v_now)
    where state in ('sending', 'uncertain') and sent_at >= v_now + zia.clock_tolerance();
  update zia.ledger set state = 'uncertain', reason = 'CLAIM_LOST' where key = any (v_keys);
  return v_keys;
end $$;

create or replace function zia.uncertain(args text[]) returns text[] language sql volatile as $$
  select coalesce(array_agg(item order by n, part), '{}') from (
    select row_number() over (order by sent_at, key) as n, key, zia.line(ledger) as line from zia.ledger
    where state = 'uncertain' or (args[1] = '1' and state = 'held')
    order by sent_at, key limit args[2]::integer) found,
  lateral (values (1, key), (2, line)) parts (part, item)
$$;

create or replace function zia.sending(args text[]) returns text[] language sql volatile as $$
  select coalesce(array_agg(item order by n, part), '{}') from (
    select row_number() over (order by sent_at, key) as n, key, zia.line(ledger) as line from zia.ledger
    where state = 'sending'
    order by sent_at, key limit args[1]::integer) found,
  lateral (values (1, key), (2, line)) parts (part, item)
$$;

create or replace function zia.owners(args text[]) returns text[] language sql volatile as $$
  select array_agg(coalesce(ledger.key, past.key, '') order by n)
  from unnest(args) with ordinality asked (id, n)
    left join zia.ledger on enrichment_id = asked.id
    left join zia.past_enrichment past on past.id = asked.id
$$;

create or replace function zia.alias_owners(args text[]) returns text[] language sql volatile as $$
  select array_agg(coalesce(owners, '') order by n)
  from unnest(args) with ordinality asked (id, n) left join zia.alias on alias = id
$$;

create or replace function zia.entries(args text[]) returns text[] language sql volatile as $$
  select array_agg(case when ledger.key is null then '' else zia.line(ledger) end order by n)
  from unnest(args) with ordinality asked (id, n) left join zia.ledger on ledger.key = id
$$;

create or replace function zia.counts(args text[]) returns text[] language sql volatile as $$
  select array[(select scheduled from zia.gauge)::text,
    count(*) filter (where state = 'sending')::text,
    count(*) filter (where state = 'uncertain')::text,
    count(*) filter (where state = 'held')::text,
    (select pending from zia.gauge)::text,
    (select count(*) from zia.ledger where final_status = 'FAILED')::text,
    (select count(*) from zia.orphan)::text]
  from zia.ledger where state in ('sending', 'uncertain', 'held')
$$;

create or replace function zia.spending(args text[]) returns text[] language plpgsql as $$
declare
  v_known constant bigint := nullif(args[1], '')::bigint;
begin
  update zia.gauge set spent = v_known where spent < v_known;
  return array[(select spent from zia.gauge)::text]
    || (select array[count(*) filter (where state <> 'held')::text, count(*) filter (where state = 'held')::text,
          zia.ms(zia.clock())]
        from zia.ledger where state in ('sending', 'uncertain', 'held'));
end $$;

create or replace function zia.fleet_stats(args text[]) returns text[] language sql volatile as $$
  select array[
    (select count(*) from zia.worker where lease_end > zia.clock())::text,
    (select count(*) from zia.inflight where lease_end > zia.clock())::text,
    (select count(*) from zia.result)::text]
$$;

create or replace function zia.scan(args text[]) returns text[] language sql volatile as $$
  with found as (
    select key, zia.line(ledger) as line from zia.ledger where key > args[1] order by key limit args[2]::integer)
  select array[(select case when count(*) < args[2]::integer then '' else max(key) end from found)]
    || (select coalesce(array_agg(item order by key, part), '{}') from found,
          lateral (values (1, key), (2, line)) parts (part, item))
$$;

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
      v_reply := v_reply || 'known'::text;
      continue;
    end if;
    -- What may be given back later is counted; what is at Zoho was counted where it was sent.
    if v_state <> 'scheduled' and zia.is_counted(v_state, args[i + 2])
        and not zia.is_counted(v_entry.state, v_entry.call_id) then
      update zia.gauge set spent = spent + 1;
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
      if v_entry.state is distinct from 'scheduled' then update zia.gauge set scheduled = scheduled + 1; end if;
      delete from zia.orphan where id = v_id;
      if v_final is null then
        insert into zia.pending values (v_key, args[i + 6]::bigint) on conflict (key) do nothing;
        if found then update zia.gauge set pending = pending + 1; end if;
      else
        delete from zia.pending where key = v_key;
        if found then update zia.gauge set pending = pending - 1; end if;
        -- It may have finished before the rows whose values are to be removed next.
        delete from zia.document where name = 'retention';
      end if;
      if args[i + 12] <> '' then
        insert into zia.result values (v_key, args[i + 12]) on conflict (key) do update set data = excluded.data;
      end if;
    end if;
    v_reply := v_reply || case when v_entry.key is null then 'added' else 'stronger' end;
  end loop;
  return v_reply;
end $$;

create or replace function zia.heartbeat(args text[]) returns text[] language plpgsql as $$
declare
  v_worker constant text := args[1];
  v_lease_ms constant double precision := args[2];
  v_known constant bigint := nullif(args[3], '')::bigint;
  v_now constant double precision := zia.clock();
  v_end constant double precision := v_now + v_lease_ms;
  v_history constant text := coalesce((select value from zia.document where name = 'history'), '');
  v_alive constant text := (select alive from zia.gauge);
  v_number bigint;
begin
  -- Of a worker that is alone and sends nothing: on the disk with the next write that counts, which takes all before it along.
  -- Each commit writes a page, so an idle worker would write gigabytes a day.
  if cardinality(args) < 7 and not exists (select from zia.worker where worker_id <> v_worker and lease_end > v_now) then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  update zia.inflight set lease_end = v_end where call_id = any (args[7:]) and zia.has_permit(v_now, call_id);
  delete from zia.worker where lease_end <= zia.long_ago(v_now);
  update zia.worker set lease_end = v_now where v_known is not null and lease_end > zia.latest_lease_end(v_now);
  insert into zia.worker values (v_worker, v_end) on conflict (worker_id) do update set lease_end = v_end
    returning number into v_number;
  if v_number >= v_known or (v_known is not null and args[4] = '1') then
    v_number := greatest(v_number, v_known) + 1;
    update zia.worker set number = v_number where worker_id = v_worker;
    -- What is lost was written after the last sign of life, so a store with a doubtful past gives none.
    if args[5] = '1' and v_history <> '' and not zia.is_looking() and v_history::json ->> 'server' = '' then
      update zia.gauge set alive = zia.ms(v_now) || ' ' || coalesce(nullif(args[6], ''), nullif(split_part(v_alive, ' ', 2), ''), '');
    end if;
  end if;
  return array[zia.control(), zia.ms(v_now), v_number::text, '', v_history, v_alive]
    || (select coalesce(array_agg(worker_id order by lease_end, worker_id), '{}') from zia.worker where lease_end > v_now);
end $$;

create or replace function zia.leave(args text[]) returns text[] language plpgsql as $$
begin
  delete from zia.worker where worker_id = args[1];
  return array[(select count(*) from zia.worker where lease_end > zia.clock())::text,
    (select count(*) from zia.ledger where state = 'sending')::text];
end $$;

-- Held (0/1), then for each orphan four: id, created at, digests, echo.
create or replace function zia.add_orphans(args text[]) returns text[] language plpgsql as $$
declare
  v_added bigint;
begin
  with given as (
    select args[i] as id, args[i + 1]::bigint as created_at, args[i + 2] as digests, args[i + 3] as echo
    from generate_series(2, cardinality(args), 4) i),
  added as (
    insert into zia.orphan (id, created_at, held, digests, echo)
    select id, created_at, args[1], digests, echo from given
    where zia.owner_of(given.id) is null
    on conflict do nothing returning 1)
  select count(*) into v_added from added;
  return array[v_added::text];
end $$;

create or replace function zia.orphans(args text[]) returns text[] language sql volatile as $$
  select array_agg(case when orphan.id is null then ''
    else concat_ws(E'\n', created_at, held, digests, rows, echo) end order by n)
  from unnest(args) with ordinality asked (id, n) left join zia.orphan on orphan.id = asked.id
$$;

create or replace function zia.pending(args text[]) returns text[] language sql volatile as $$
  select coalesce(array_agg(item order by n, part), '{}') from (
    select row_number() over (order by pending.scheduled_at, key) as n, key, zia.line(ledger) as line
    from zia.pending join zia.ledger using (key)
    where pending.scheduled_at >= args[1]::double precision
    order by pending.scheduled_at, key limit args[2]::integer) found,
  lateral (values (1, key), (2, line)) parts (part, item)
$$;

create or replace function zia.failed(args text[]) returns text[] language sql volatile as $$
  select coalesce(array_agg(item order by n, part), '{}') from (
    select row_number() over (order by finished_at desc, key desc) as n, key, zia.line(ledger) as line from zia.ledger
    where final_status = 'FAILED'
    order by finished_at desc, key desc limit args[1]::integer) found,
  lateral (values (1, key), (2, line)) parts (part, item)
$$;

-- Counting the rows of an index reads that index alone, and so does finding the keys of a page: only the entries on the
-- page itself are read.
create or replace function zia.list(args text[]) returns text[] language plpgsql volatile as $$
declare
  v_offset constant integer := args[2];
  v_limit constant integer := args[3];
  v_final constant text := case args[1] when 'enriched' then 'COMPLETED' when 'notfound' then 'DATA_NOT_FOUND' when 'failed' then 'FAILED' end;
  v_total bigint;
  v_keys text[];
begin
  if args[1] = 'pending' then
    select pending into v_total from zia.gauge;
    v_keys := array(select key from zia.pending order by scheduled_at desc, key desc offset v_offset limit v_limit);
  elsif v_final is not null then
    select count(*) into v_total from zia.ledger where final_status = v_final;
    v_keys := array(select key from zia.ledger where final_status = v_final
      order by finished_at desc, key desc offset v_offset limit v_limit);
  else
    select count(*) into v_total from zia.ledger where state = args[1] and state in ('sending', 'uncertain', 'held');
    v_keys := array(select key from zia.ledger where state = args[1] and state in ('sending', 'uncertain', 'held')
      order by sent_at desc, key desc offset v_offset limit v_limit);
  end if;
  return v_total::text || array(select item
    from unnest(v_keys) with ordinality page (key, n) join zia.ledger using (key),
    lateral (values (1, key), (2, zia.line(ledger))) parts (part, item)
    order by n, part);
end $$;

create or replace function zia.has_text(wanted text, entry zia.ledger) returns boolean language sql immutable as $$
  select position(wanted in lower(concat_ws(E'\n', entry.sent::json ->> 'name', entry.sent::json ->> 'email',
    entry.sent::json ->> 'website', entry.sent::json ->> 'recordId', entry.enrichment_id))) > 0
$$;

-- Looks through the next entries by key. Most do not have the text at all, and are not looked at any closer.
create or replace function zia.search(args text[]) returns text[] language sql volatile as $$
  with part as materialized (
    select ledger.* from zia.ledger
    where key > case args[2] when '0' then '' else args[2] end order by key limit args[3]::integer),
  found as (
    select key, zia.line(part::zia.ledger) as line from part
    where position(args[1] in lower(sent || coalesce(enrichment_id, ''))) > 0 and zia.has_text(args[1], part::zia.ledger))
  select array[(select case when count(*) < args[3]::integer then '' else max(key) end from part)]
    || (select coalesce(array_agg(item order by key, n), '{}') from found,
          lateral (values (1, key), (2, line)) parts (n, item))
$$;

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

create or replace function zia.results(args text[]) returns text[] language sql volatile as $$
  select array_agg(coalesce(data, '') order by n)
  from unnest(args) with ordinality asked (id, n) left join zia.result on result.key = id
$$;

-- All that is known of a row goes in one step, its job too; its ids stay owned, by nobody.
create or replace function zia.forget(args text[]) returns text[] language plpgsql as $$
declare
  v_queue constant text := args[1];
  v_before constant bigint := nullif(args[2], '')::bigint;
  v_reply text[] := '{}';
  v_key text;
  v_entry zia.ledger;
  v_job record;
  v_finished bigint;
begin
  for i in 4 .. coalesce(cardinality(args), 0) by 2 loop
    v_key := args[i];
    select * into v_entry from zia.ledger where key = v_key;
    select id, state::text as state, finished_at_ms into v_job from bullmq.job where queue = v_queue and id = v_key;
    v_finished := case when v_entry.state = 'scheduled' then v_entry.finished_at
      when v_job.state = 'failed' then v_job.finished_at_ms end;
    if v_entry.key is null and v_job.id is null then
      v_reply := v_reply || 'absent'::text;
    elsif v_entry.state not in ('scheduled', 'cleared') or v_job.state = 'active' then
      v_reply := v_reply || 'open'::text;
    elsif v_before is not null and not coalesce(v_finished < v_before, false) then
      v_reply := v_reply || 'kept'::text;
    else
      v_reply := v_reply || 'forgotten'::text;
      if args[3] = '1' then perform zia.forget_row(v_queue, v_key, v_entry.enrichment_id, args[i + 1]); end if;
    end if;
  end loop;
  return v_reply;
end $$;

create or replace function zia.forget_row(v_queue text, v_key text, v_id text, aliases text) returns void language plpgsql as $$
begin
  delete from bullmq.job where queue = v_queue and id = v_key;
  update zia.past_enrichment set key = '-' where key = v_key;
  if v_id is not null then
    insert into zia.past_enrichment values (v_id, '-') on conflict (id) do update set key = excluded.key;
  end if;
  delete from zia.result where key = v_key;
  update zia.alias set owners = array_to_string(array_remove(string_to_array(owners, ' '), v_key), ' ')
    where alias = any (string_to_array(nullif(aliases, ''), ' '));
  delete from zia.alias where alias = any (string_to_array(nullif(aliases, ''), ' ')) and owners = '';
  delete from zia.ledger where key = v_key;
  delete from zia.pending where key = v_key;
  if found then update zia.gauge set pending = pending - 1; end if;
end $$;

create or replace function zia.finished_between(args text[]) returns text[] language sql volatile as $$
  select coalesce(array_agg(item order by n, part), '{}') from (
    select row_number() over (order by finished_at, key) as n, key, zia.line(ledger) as line from zia.ledger
    where final_status = case args[1] when 'enriched' then 'COMPLETED' else 'DATA_NOT_FOUND' end
      and finished_at >= args[2]::double precision and finished_at < args[3]::double precision
    order by finished_at, key limit args[4]::integer) found,
  lateral (values (1, key), (2, line)) parts (part, item)
$$;

-- A row that was sent again since, or has no end, keeps its values.
create or replace function zia.remove_values(args text[]) returns text[] language plpgsql as $$
declare
  v_reply text[] := '{}';
begin
  for i in 2 .. coalesce(cardinality(args), 0) by 3 loop
    update zia.ledger set sent = args[i + 2]
      where key = args[i] and state = 'scheduled' and enrichment_id = args[i + 1]
        and final_status in ('COMPLETED', 'DATA_NOT_FOUND');
    v_reply := v_reply || case when found then '1' else '0' end;
    if found then
      delete from zia.result where key = args[i];
      delete from bullmq.job where queue = args[1] and id = args[i] and state::text in ('completed', 'failed');
    end if;
  end loop;
  return v_reply;
end $$;

create or replace function zia.forget_orphans(args text[]) returns text[] language plpgsql as $$
declare
  v_reply text[] := '{}';
  v_orphan zia.orphan;
begin
  for i in 2 .. coalesce(cardinality(args), 0) loop
    select * into v_orphan from zia.orphan where id = args[i];
    if v_orphan.id is null then
      v_reply := v_reply || 'absent'::text;
    elsif exists (select from zia.ledger where key = any (string_to_array(v_orphan.rows, ' '))
        and call_id = 'orphan.' || v_orphan.id and state in ('uncertain', 'held')) then
      v_reply := v_reply || 'open'::text;
    else
      v_reply := v_reply || 'forgotten'::text;
      if args[1] = '1' then
        delete from zia.orphan where id = v_orphan.id;
        insert into zia.past_enrichment values (v_orphan.id, '-');
        update zia.gauge set scheduled = scheduled + 1;
      end if;
    end if;
  end loop;
  return v_reply;
end $$;

create or replace function zia.orphans_like(args text[]) returns text[] language sql volatile as $$
  select array_agg(coalesce((select string_agg(id, ' ' order by fit desc, created_at, id) from zia.orphans_like(wanted)), '') order by n)
  from unnest(args) with ordinality asked (wanted, n)
$$;

create or replace function zia.scan_orphans(args text[]) returns text[] language sql volatile as $$
  with part as (select * from zia.orphan where id > args[1] order by id limit args[2]::integer)
  select array[(select case when count(*) < args[2]::integer then '' else max(id) end from part)]
    || (select coalesce(array_agg(item order by id, n), '{}') from part,
          lateral (values (1, id), (2, concat_ws(E'\n', created_at, held, digests, rows, echo))) parts (n, item))
$$;

create or replace function zia.read_document(args text[]) returns text[] language sql volatile as $$
  select array[coalesce((select value from zia.document where name = args[1]), ''), zia.ms(zia.clock())]
$$;

create or replace function zia.change_document(args text[]) returns text[] language plpgsql as $$
declare
  v_current constant text := coalesce((select value from zia.document where name = args[1]), '');
begin
  if v_current <> args[2] then return array['0', v_current, zia.ms(zia.clock())]; end if;
  insert into zia.document values (args[1], args[3]) on conflict (name) do update set value = excluded.value;
  return array['1', args[3], zia.ms(zia.clock())];
end $$;
