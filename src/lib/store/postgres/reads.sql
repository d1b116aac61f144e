-- What the ledger knows.

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

create or replace function zia.finished_between(args text[]) returns text[] language sql volatile as $$
  select coalesce(array_agg(item order by n, part), '{}') from (
    select row_number() over (order by finished_at, key) as n, key, zia.line(ledger) as line from zia.ledger
    where final_status = case args[1] when 'enriched' then 'COMPLETED' else 'DATA_NOT_FOUND' end
      and finished_at >= args[2]::double precision and finished_at < args[3]::double precision
    order by finished_at, key limit args[4]::integer) found,
  lateral (values (1, key), (2, line)) parts (part, item)
$$;

create or replace function zia.scan(args text[]) returns text[] language sql volatile as $$
  with found as (
    select key, zia.line(ledger) as line from zia.ledger where key > args[1] order by key limit args[2]::integer)
  select array[(select case when count(*) < args[2]::integer then '' else max(key) end from found)]
    || (select coalesce(array_agg(item order by key, part), '{}') from found,
          lateral (values (1, key), (2, line)) parts (part, item))
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

create or replace function zia.results(args text[]) returns text[] language sql volatile as $$
  select array_agg(coalesce(data, '') order by n)
  from unnest(args) with ordinality asked (id, n) left join zia.result on result.key = id
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
