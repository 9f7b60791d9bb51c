-- In which counters a call counts, and what it was booked at before people corrected it. Earlier rows have no counters.
alter table calls add column counters jsonb, add column original_nano bigint;

-- What people have taken out of the totals by correcting calls, negative where they added; null where they never did. The
-- index has no column that changes with each call, so that updates of the totals stay on their pages.
alter table totals add column corrected_nano numeric;
create index totals_corrected on totals (counter) where corrected_nano is not null;

-- Every correction of a call, and why.
create table corrections (
  number bigint generated always as identity primary key,
  time timestamptz not null,
  call text not null,
  from_nano bigint not null,
  to_nano bigint not null,
  reason text not null
);
create index corrections_call on corrections (call);
create index corrections_time on corrections (time);
