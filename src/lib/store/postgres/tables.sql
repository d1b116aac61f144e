-- The store on the embedded engine: one function an operation, the same arguments and replies as the Lua scripts in
-- ../redis (described there). Applied by the process that hosts the database whenever it changed, so it must be repeatable:
-- add columns with `alter table ... add column if not exists`. A name in capitals behind a colon is a number of
-- ../script-numbers.ts.
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
