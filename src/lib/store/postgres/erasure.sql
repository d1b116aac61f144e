-- Taking values out.

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
