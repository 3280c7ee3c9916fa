with bronze as (

    select
        topic,
        `partition` as kafka_partition,
        `offset` as kafka_offset,
        `timestamp` as kafka_timestamp,
        topic_epoch,
        record_id,
        source_file,
        ingested_at,
        erased_at,
        bronze_version,
        cast(value as string) as value_text,
        {{ trimmed('cast(key as string)') }} as key_text
    from {{ new_records(source('bronze', 'bpm'), 'device', key=record_key('bronze')) }}

),

documents as (

    select
        *,
        {{ json_document('value_text') }} as document
    from bronze

),

fields as (

    select
        *,
        {{ json_field('document', 'device_id') }} as device_id_field,
        {{ json_field('document', 'time') }} as time_field,
        {{ json_field('document', 'heartrate') }} as heartrate_field,
        {{ key_field('key_text') }} as key_field
    from documents

),

typed as (

    select
        *,
        {{ as_id('device_id_field') }} as device_id,
        {{ as_number('heartrate_field') }} as heart_rate_bpm,
        {{ as_time('time_field') }} as measured_at
    from fields

),

{{ keep_out(
    source('bronze', 'bpm'), 'typed', 'device',
    named='device_id', field='device_id_field', key='key_field', text='value_text',
    at='coalesce(measured_at, kafka_timestamp, ingested_at)'
) }},

judged as (

    select
        *,
        case
            when erased_at is not null then null
            when document is null and coalesce({{ trimmed('value_text') }}, '') = ''
                then 'missing_value'
            when document is null then 'malformed'
            when '' in (device_id_field, time_field, heartrate_field) then 'missing_field'
            when device_id is null or measured_at is null or heart_rate_bpm is null
                then 'wrong_type'
            when {{ is_out_of_range('measured_at', 'ingested_at') }} then 'timestamp_out_of_range'
            when
                heart_rate_bpm not between {{ var('min_heart_rate_bpm') }}
                and {{ var('max_heart_rate_bpm') }}
                then 'heart_rate_out_of_range'
        end as reject_reason,
        reject_reason is null and erased_at is null as is_valid
    from kept_out

),

final as (

    select
        {{ record_key() }} as record_key,
        topic,
        topic_epoch,
        kafka_partition,
        kafka_offset,
        kafka_timestamp,
        record_id,
        source_file,
        if(is_valid, device_id, null) as device_id,
        if(is_valid, heart_rate_bpm, null) as heart_rate_bpm,
        if(is_valid, measured_at, null) as measured_at,
        reject_reason,
        ingested_at,
        erased_at,
        bronze_version
    from judged

)

select *
from final
{{ in_order_of('measured_at') }}
