{{ config(unique_key='record_key', meta={'day': 'ingested_at'}) }}

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
    from {{ new_rows(source('bronze', 'workout'), key=['topic', 'topic_epoch', 'partition', 'offset', 'record_id']) }}

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
        {{ json_field('document', '$.user_id') }} as user_id_field,
        {{ json_field('document', '$.workout_id') }} as workout_id_field,
        {{ json_field('document', '$.session_id') }} as session_id_field,
        {{ json_field('document', '$.timestamp') }} as timestamp_field,
        {{ json_field('document', '$.action') }} as action_field
    from documents

),

typed as (

    select
        *,
        {{ epoch_timestamp('timestamp_field') }} as occurred_at
    from fields

),

{{ keep_out(
    source('bronze', 'workout'), 'typed', 'user', identifier_of('user_id_field', 'key_field'), 'value_text'
) }},

judged as (

    select
        *,
        case
            when erased_at is not null then null
            {{ structural_reason('value_text', 'document') }}
            when
                {{ any_of(is_missing, [
                    'user_id_field', 'workout_id_field', 'session_id_field', 'timestamp_field',
                    'action_field',
                ]) }}
                then 'missing_field'
            when
                {{ any_of(is_wrong_id, ['user_id_field', 'workout_id_field', 'session_id_field']) }}
                or {{ is_wrong_number('timestamp_field') }}
                or {{ is_composite('action_field') }}
                then 'wrong_type'
            when action_field.text not in ('start', 'stop') then 'unknown_action'
            when {{ is_out_of_range('occurred_at', 'ingested_at') }} then 'timestamp_out_of_range'
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
        {{ if_valid(id_of('user_id_field')) }} as user_id,
        {{ if_valid(id_of('workout_id_field')) }} as workout_id,
        {{ if_valid(id_of('session_id_field')) }} as session_id,
        {{ if_valid('action_field.text') }} as action,
        {{ if_valid('occurred_at') }} as occurred_at,
        reject_reason,
        ingested_at,
        erased_at
    from judged

)

{{ recomputed() }}
