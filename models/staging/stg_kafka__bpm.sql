{{ config(unique_key='record_key', meta={'day': 'ingested_at', 'sort_by': 'measured_at'}) }}

with bronze as (

    select
        value,
        topic,
        `partition` as kafka_partition,
        `offset` as kafka_offset,
        `timestamp` as kafka_timestamp,
        topic_epoch,
        record_id,
        source_file,
        ingested_at,
        erased_at,
        {{ trimmed('cast(value as string)') }} as value_text,
        {{ text_field('cast(key as string)') }} as key_field
    from {{ new_rows(source('bronze', 'bpm'), key=['topic', 'topic_epoch', 'partition', 'offset', 'record_id']) }}

),

documents as (

    select
        *,
        {{ json_document('value_text', 'value') }} as document
    from bronze

),

fields as (

    select
        *,
        {{ json_field('document', '$.device_id') }} as device_id_field,
        {{ json_field('document', '$.time') }} as time_field,
        {{ json_field('document', '$.heartrate') }} as heartrate_field
    from documents

),

typed as (

    select
        *,
        {{ epoch_timestamp('time_field') }} as measured_at,
        try_cast(heartrate_field.text as double) as heart_rate_bpm
    from fields

),

{{ keep_out(
    source('bronze', 'bpm'), 'typed', 'device', identifier_of('device_id_field', 'key_field'),
    'value_text', at='coalesce(measured_at, kafka_timestamp, ingested_at)'
) }},

judged as (

    select
        *,
        case
            when erased_at is not null then null
            {{ structural_reason('value_text', 'document') }}
            when {{ any_of(is_missing, ['device_id_field', 'time_field', 'heartrate_field']) }}
                then 'missing_field'
            when
                {{ is_wrong_id('device_id_field') }}
                or {{ any_of(is_wrong_number, ['time_field', 'heartrate_field']) }}
                then 'wrong_type'
            when {{ is_out_of_range('measured_at', 'ingested_at') }} then 'timestamp_out_of_range'
            when
                heart_rate_bpm is null
                or heart_rate_bpm < {{ var('min_heart_rate_bpm') }}
                or heart_rate_bpm > {{ var('max_heart_rate_bpm') }}
                then 'heart_rate_out_of_range'
        end as reject_reason
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
        {{ if_valid(id_of('device_id_field')) }} as device_id,
        {{ if_valid('heart_rate_bpm') }} as heart_rate_bpm,
        {{ if_valid('measured_at') }} as measured_at,
        reject_reason,
        ingested_at,
        erased_at
    from judged

)

{{ recomputed() }}
