-- Change tracking, the watermark and the three procedures that Data Factory calls.
alter database current set change_tracking = on (change_retention = 14 days, auto_cleanup = on);
alter database current set allow_snapshot_isolation on;
go

alter table dbo.registered_users enable change_tracking;
alter table dbo.gym_logins enable change_tracking;
go

create schema etl;
go

create table etl.watermarks (
    feed varchar(64) not null constraint pk_watermarks primary key,
    version bigint not null,
    closed_at datetime2(3) not null
);
-- -1: nothing copied yet, the first run takes the whole table.
insert into etl.watermarks (feed, version, closed_at)
values ('registered_users', -1, sysutcdatetime()), ('gym_logins', -1, sysutcdatetime());
go

-- One row: from_version (exclusive) and to_version; the same twice where there is nothing to copy.
-- from_version is -1, and the whole table is copied, when changes since the watermark are no longer
-- kept. Changes that only delete have no row to copy: the watermark passes them here, since a copy
-- without a row leaves no file to publish.
create procedure etl.open_window @feed varchar(64) as
begin
    set nocount on;
    declare @from_version bigint = (select version from etl.watermarks where feed = @feed);
    if @from_version is null throw 50001, 'Unknown feed: it has no row in etl.watermarks.', 1;
    declare @table int = object_id(concat('dbo.', quotename(@feed)));
    -- Read before the rows: what commits after it belongs to the next window.
    declare @to_version bigint = change_tracking_current_version();
    if @from_version < change_tracking_min_valid_version(@table) set @from_version = -1;

    declare @rows bit = 0;
    if @feed = 'registered_users' and @from_version = -1
        set @rows = iif(exists (select 1 from dbo.registered_users), 1, 0);
    else if @feed = 'registered_users'
        set @rows = iif(exists (
            select 1 from changetable(changes dbo.registered_users, @from_version) as changed
            where changed.sys_change_operation <> 'D'
        ), 1, 0);
    else if @feed = 'gym_logins' and @from_version = -1
        set @rows = iif(exists (select 1 from dbo.gym_logins), 1, 0);
    else if @feed = 'gym_logins'
        set @rows = iif(exists (
            select 1 from changetable(changes dbo.gym_logins, @from_version) as changed
            where changed.sys_change_operation <> 'D'
        ), 1, 0);

    if @rows = 0
    begin
        if @from_version >= 0 exec etl.close_window @feed, @to_version;
        set @to_version = @from_version;
    end;
    select @from_version as from_version, @to_version as to_version;
end;
go

-- Rows changed after from_version, as they are now (all rows for -1). Deleted rows are not told:
-- absence at the source means nothing to silver; erasure has its own way (docs/runbooks).
create procedure etl.changes @feed varchar(64), @from_version bigint as
begin
    set nocount on;
    set transaction isolation level snapshot;
    if @feed = 'registered_users' and @from_version = -1
        select user_id, device_id, mac_address, registration_timestamp, modified_at
        from dbo.registered_users;
    else if @feed = 'registered_users'
        select
            source.user_id,
            source.device_id,
            source.mac_address,
            source.registration_timestamp,
            source.modified_at
        from changetable(changes dbo.registered_users, @from_version) as changed
        inner join dbo.registered_users as source
            on changed.user_id = source.user_id
            and changed.device_id = source.device_id
            and changed.mac_address = source.mac_address
            and changed.registration_timestamp = source.registration_timestamp;
    else if @feed = 'gym_logins' and @from_version = -1
        select mac_address, gym, login, logout, modified_at
        from dbo.gym_logins;
    else if @feed = 'gym_logins'
        select
            source.mac_address,
            source.gym,
            source.login,
            source.logout,
            source.modified_at
        from changetable(changes dbo.gym_logins, @from_version) as changed
        inner join dbo.gym_logins as source
            on changed.mac_address = source.mac_address
            and changed.gym = source.gym
            and changed.login = source.login;
    else
        throw 50002, 'Unknown feed: etl.changes knows registered_users and gym_logins.', 1;
end;
go

-- Never backwards: a late, repeated call does no harm.
create procedure etl.close_window @feed varchar(64), @to_version bigint as
begin
    set nocount on;
    update etl.watermarks
    set version = @to_version, closed_at = sysutcdatetime()
    where feed = @feed and version < @to_version;
end;
go
