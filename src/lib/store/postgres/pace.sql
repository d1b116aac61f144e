-- Pace and permits: when a call may go.

create or replace function zia.spacing(rate double precision) returns double precision language sql immutable as
$$ select 1000 / (rate * :USED_SHARE) $$;

-- The slot to wait for, or null when the call may go now; `used` is the slot it goes in.
create or replace function zia.pace_call(v_now double precision, rate double precision, slot double precision,
  out wait_for double precision, out used double precision) language plpgsql as $$
declare
  v_next double precision;
begin
  if rate <= 0 then return; end if;
  used := slot;
  if slot is not null then
    if v_now < slot - :EARLY_MS then wait_for := slot; return; end if;
    if v_now <= slot + :LATE_MS then return; end if;
  end if;
  select next_slot into v_next from zia.gauge;
  if v_next > v_now + :FARTHEST_SLOT_MS then v_next := 0; end if;
  used := greatest(v_now, v_next);
  update zia.gauge set next_slot = used + zia.spacing(rate);
  if used > v_now + :EARLY_MS then wait_for := used; end if;
end $$;

create or replace function zia.latest_lease_end(v_now double precision) returns double precision language sql immutable as
$$ select v_now + :MAX_LEASE_MS + :CLOCK_TOLERANCE_MS $$;

create or replace function zia.has_permit(v_now double precision, call text) returns boolean language sql volatile as
$$ select exists (select from zia.inflight where call_id = call and lease_end > v_now
     and lease_end <= zia.latest_lease_end(v_now)) $$;

create or replace function zia.keep_permit(call text, v_end double precision) returns void language sql volatile as
$$ insert into zia.inflight values (call, v_end) on conflict (call_id) do update set lease_end = excluded.lease_end $$;

create or replace function zia.free_permit(call text) returns void language sql volatile as
$$ delete from zia.inflight where call_id = call $$;

-- How long nothing may be sent.
create or replace function zia.backoff_left(v_now double precision, control json) returns double precision language sql volatile as
$$ select case when coalesce((control ->> 'backoffSinceMs')::double precision, 0) > v_now + :CLOCK_TOLERANCE_MS then 0
     else coalesce((control ->> 'backoffUntilMs')::double precision, 0) - v_now end $$;

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
