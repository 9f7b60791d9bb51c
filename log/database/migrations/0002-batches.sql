-- Every Message Batch that was opened in the ledger. A rebuild restores it, less the lines in the table of calls.
create table batches (
  id text primary key,
  time timestamptz not null,
  batch text not null,
  workspace text not null,
  meta text not null,
  worst_nano bigint not null,
  counters json not null,
  keep_until bigint not null
);
create index calls_batch on calls (batch) where batch is not null;
