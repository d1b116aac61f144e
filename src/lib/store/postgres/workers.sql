-- Workers that live, and documents.

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

create or replace function zia.fleet_stats(args text[]) returns text[] language sql volatile as $$
  select array[
    (select count(*) from zia.worker where lease_end > zia.clock())::text,
    (select count(*) from zia.inflight where lease_end > zia.clock())::text,
    (select count(*) from zia.result)::text]
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
