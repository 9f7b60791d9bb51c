-- One row for each call. policy/core/usage-record.ts says what each column means.
create table calls (
  id text primary key,
  time timestamptz not null,
  state text not null,
  workspace text,
  key text,
  feature text,
  customer text,
  end_user text,
  department text,
  tags jsonb,
  asked_model text,
  model text,
  input_tokens integer,
  output_tokens integer,
  cache_read_tokens integer,
  cache_write_5m_tokens integer,
  cache_write_1h_tokens integer,
  web_searches integer,
  code_executions integer,
  fast boolean,
  regional boolean,
  iterations jsonb,
  cost_nano bigint not null,
  presumed_nano bigint not null,
  worst_nano bigint,
  estimated boolean,
  price_version text,
  policy_version bigint,
  rule text,
  ending text,
  status integer,
  error_type text,
  stream boolean,
  duration_ms integer,
  first_byte_ms integer,
  session text,
  request_id text,
  batch text,
  details jsonb
);
create index calls_time on calls (time);
create index calls_workspace on calls (workspace, time);
create index calls_feature on calls (feature, time) where feature is not null;
create index calls_customer on calls (customer, time) where customer is not null;

-- What the calls of each counter of the ledger add up to: a rebuild of the ledger reads one row a counter. Every
-- transaction updates the same few rows, so each page keeps room for their next versions.
create table totals (
  counter text primary key,
  keep_until bigint not null,
  spent_nano numeric not null,
  presumed_nano numeric not null,
  requests bigint not null
) with (fillfactor = 50);

-- How often each key was refused, by the minute.
create table refusals (
  minute timestamptz,
  workspace text,
  key text,
  budget text,
  reason text,
  count bigint not null,
  primary key (minute, workspace, key, budget, reason)
);

-- What no row could be made of, or not all of one, as it came.
create table dead_letters (
  entry text primary key,
  time timestamptz not null,
  problem text not null,
  record text not null,
  counters text not null,
  keep_until bigint not null
);

-- The last entry taken of a stream whose rows have no identity of their own.
create table positions (stream text primary key, entry text not null);
