-- Enrichments at Zoho that no entry owns.

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
