-- Whose a row is: a namespace or workspace that was deleted and made again has other uids. Earlier rows have none.
alter table calls add column workspace_uid text, add column namespace_uid text;
alter table batches
  add column workspace_uid text not null default '',
  add column namespace_uid text not null default '';
alter table refusals
  add column workspace_uid text not null default '',
  add column namespace_uid text not null default '';
alter table refusals drop constraint refusals_pkey;
alter table refusals
  add primary key (minute, workspace, workspace_uid, namespace_uid, key, budget, reason);
