-- The typed events of each feed, the rules as functions, and Spark's names of functions.
create or replace macro unix_micros(instant) as epoch_us(instant);
create or replace macro timestamp_micros(micros) as make_timestamp(micros);
create or replace macro minutes(micros) as floor((micros + 300000) / 600000) / 100;
create or replace macro age_on(born, on_date) as year(on_date) - year(born) - case
    when month(on_date) * 100 + day(on_date) < month(born) * 100 + day(born) then 1 else 0
end;
create or replace macro zone_of(bpm, age) as case
    when 100 * bpm < 50 * (220 - age) then 0
    when 100 * bpm < 70 * (220 - age) then 1
    when 100 * bpm < 85 * (220 - age) then 2
    when age is not null then 3
end;
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
