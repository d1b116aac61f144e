-- What all other files use: the time, the control state, an entry as text.

create or replace function zia.clock() returns double precision language sql volatile as
$$ select extract(epoch from clock_timestamp())::double precision * 1000 $$;

create or replace function zia.ms(value double precision) returns text language sql immutable as
$$ select round(value::numeric, 3)::text $$;

create or replace function zia.long_ago(v_now double precision) returns bigint language sql immutable as
$$ select floor(v_now - :LONG_AGO_MS)::bigint $$;

create or replace function zia.control() returns text language sql volatile as
$$ select coalesce((select value from zia.document where name = 'control'), '') $$;

create or replace function zia.line(entry zia.ledger) returns text language sql immutable as
$$ select concat_ws(E'\n', entry.state, entry.call_id, entry.sent_at, entry.sends, coalesce(entry.enrichment_id, ''),
     coalesce(entry.scheduled_at::text, ''), entry.reason, entry.sent, entry.notes, entry.final_status, entry.finished_at) $$;

-- In place of the fields sent, where nobody has told them.
create or replace function zia.nothing_sent() returns text language sql immutable as $$ select '{"module":""}' $$;

-- The key that an enrichment id belongs to; null when nobody owns it.
create or replace function zia.owner_of(v_id text) returns text language sql volatile as
$$ select coalesce((select key from zia.ledger where enrichment_id = v_id), (select key from zia.past_enrichment where id = v_id)) $$;
