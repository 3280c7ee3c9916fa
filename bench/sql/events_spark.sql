-- The typed events of each feed. Only this step differs between the dialects.
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
