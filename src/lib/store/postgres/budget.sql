-- What was spent, and what may be.

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
  v_budget constant bigint := control -> 'budget' ->> 'ceiling';
  v_reserve constant json := control -> 'reserve';
  v_asked constant double precision := v_reserve ->> 'askedAtMs';
  v_spent bigint;
begin
  if v_budget is null and keep = 0 then return; end if;
  select spent into v_spent from zia.gauge;
  wait_for := zia.ms(:SPENT_WAIT_MS);
  if v_spent >= v_budget then
    reason := 'budget';
    if not exists (select from zia.ledger where state in ('sending', 'uncertain')) then wait_for := ''; end if;
  elsif keep > 0 and (v_asked is null or v_asked < v_now - :ALLOWANCE_GOOD_MS or v_asked > v_now + :CLOCK_TOLERANCE_MS) then
    reason := 'allowance';
  elsif keep > 0 and v_spent >= (v_reserve ->> 'ceiling')::bigint - keep then
    reason := 'reserve';
    -- Final when Zoho was asked with nothing under way, and nothing was claimed since.
    if v_reserve ->> 'quiet' = 'true' and (v_reserve ->> 'spent')::bigint = v_spent then wait_for := ''; end if;
  end if;
end $$;

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
