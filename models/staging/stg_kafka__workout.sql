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
    from {{ new_records(source('bronze', 'workout'), 'user', key=record_key('bronze')) }}

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
        {{ json_field('document', 'user_id') }} as user_id_field,
        {{ json_field('document', 'workout_id') }} as workout_id_field,
        {{ json_field('document', 'session_id') }} as session_id_field,
        {{ json_field('document', 'timestamp') }} as timestamp_field,
        {{ json_field('document', 'action') }} as action,
        {{ key_field('key_text') }} as key_field
    from documents

),

typed as (

    select
        *,
        {{ as_id('user_id_field') }} as user_id,
        {{ as_id('workout_id_field') }} as workout_id,
        {{ as_id('session_id_field') }} as session_id,
        {{ as_time('timestamp_field') }} as occurred_at
    from fields

),

{{ keep_out(
    source('bronze', 'workout'), 'typed', 'user',
    named='user_id', field='user_id_field', key='key_field', text='value_text'
) }},

judged as (

    select
        *,
        case
            when erased_at is not null then null
            when document is null and coalesce({{ trimmed('value_text') }}, '') = ''
                then 'missing_value'
            when document is null then 'malformed'
            when
                '' in (user_id_field, workout_id_field, session_id_field, timestamp_field, action)
                then 'missing_field'
            when
                user_id is null
                or workout_id is null
                or session_id is null
                or occurred_at is null
                then 'wrong_type'
            when action not in ('start', 'stop') then 'unknown_action'
            when {{ is_out_of_range('occurred_at', 'ingested_at') }} then 'timestamp_out_of_range'
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
        if(is_valid, user_id, null) as user_id,
        if(is_valid, workout_id, null) as workout_id,
        if(is_valid, session_id, null) as session_id,
        if(is_valid, action, null) as action,
        if(is_valid, occurred_at, null) as occurred_at,
        reject_reason,
        ingested_at,
        erased_at,
        bronze_version
    from judged

)

select * from final
