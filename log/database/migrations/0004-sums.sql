-- How many calls that cost nothing a row stands for; null: one call.
alter table calls add column calls integer;
