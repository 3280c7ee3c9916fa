-- The typed events of each feed, and the rules as functions.
create or replace temporary function minutes(micros bigint) returns double
return floor((micros + 300000) / 600000) / 100;
create or replace temporary function age_on(born date, on_date date) returns int
return year(on_date) - year(born) - case
    when month(on_date) * 100 + day(on_date) < month(born) * 100 + day(born) then 1 else 0
end;
create or replace temporary function zone_of(bpm double, age int) returns int
return case
    when 100 * bpm < 50 * (220 - age) then 0
    when 100 * bpm < 70 * (220 - age) then 1
    when 100 * bpm < 85 * (220 - age) then 2
    when age is not null then 3
end;

create or replace temporary view bpm_events as
select from_json(cast(value as string), 'device_id string, time double, heartrate double') as event
from bronze.bpm;

create or replace temporary view workout_events as
select
    from_json(
        cast(value as string),
        'user_id string, workout_id string, session_id string, timestamp double, action string'
    ) as event
from bronze.workout;

create or replace temporary view user_info_events as
select
    from_json(
        cast(value as string),
        'user_id string, update_type string, timestamp double, dob string, sex string,
        gender string, first_name string, last_name string,
        address struct<street_address: string, city: string, state: string, zip: string>'
    ) as event,
    `partition` as kafka_partition,
    `offset` as kafka_offset
from bronze.user_info;
