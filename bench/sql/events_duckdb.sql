-- The typed events of each feed, and Spark's names of the few functions that DuckDB calls otherwise.
create or replace macro unix_micros(instant) as epoch_us(instant);
create or replace macro timestamp_micros(micros) as make_timestamp(micros);
create or replace macro collect_list(element) as list(element);
create or replace macro named_struct(name1, value1, name2, value2) as
    struct_pack(workout_id := value1, session_id := value2);

create or replace temporary view bpm_events as
select
    from_json(
        decode(value), '{"device_id": "VARCHAR", "time": "DOUBLE", "heartrate": "DOUBLE"}'
    ) as event
from bronze.bpm;

create or replace temporary view workout_events as
select
    from_json(
        decode(value),
        '{"user_id": "VARCHAR", "workout_id": "VARCHAR", "session_id": "VARCHAR",
        "timestamp": "DOUBLE", "action": "VARCHAR"}'
    ) as event
from bronze.workout;

create or replace temporary view user_info_events as
select
    from_json(
        decode(value),
        '{"user_id": "VARCHAR", "update_type": "VARCHAR", "timestamp": "DOUBLE",
        "dob": "VARCHAR", "sex": "VARCHAR", "gender": "VARCHAR", "first_name": "VARCHAR",
        "last_name": "VARCHAR", "address": {"street_address": "VARCHAR", "city": "VARCHAR",
        "state": "VARCHAR", "zip": "VARCHAR"}}'
    ) as event,
    "partition" as kafka_partition,
    "offset" as kafka_offset
from bronze.user_info;
