{{ config(unique_key='record_key', meta={'day': 'ingested_at'}) }}

with bronze as (

    select
        coalesce(record_id, concat_ws('/', topic, topic_epoch, `partition`, `offset`)) as record_key,
        topic,
        `partition` as kafka_partition,
        `offset` as kafka_offset,
        `timestamp` as kafka_timestamp,
        topic_epoch,
        record_id,
        source_file,
        ingested_at,
        erased_at,
        {{ key_field(trimmed('cast(key as string)')) }} as key_field,
        cast(value as string) as value_text,
        {{ json_document('cast(value as string)') }} as document
    from {{ new_rows(source('bronze', 'workout'), key=['topic', 'topic_epoch', 'partition', 'offset', 'record_id']) }}

),

fields as (

    select
        *,
        {{ json_field('document', 'user_id') }} as user_id_field,
        {{ json_field('document', 'workout_id') }} as workout_id_field,
        {{ json_field('document', 'session_id') }} as session_id_field,
        {{ json_field('document', 'timestamp') }} as timestamp_field,
        {{ json_field('document', 'action') }} as action
    from bronze

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

named_ids as (

    select
        record_key,
        ingested_at,
        explode({{ ids_of('user', 'user_id', 'user_id_field', ['user_id_field', 'key_field', 'value_text']) }}) as id
    from typed

),

erased_records as (

    select /*+ broadcast(persons) */
        named_ids.record_key,
        min(greatest(persons.requested_at, named_ids.ingested_at)) as erased_at
    from named_ids
    cross join {{ erasure_pads(source('bronze', 'suppression_list')) }} as pads
    inner join {{ source('bronze', 'suppression_list') }} as persons
        on {{ keyed_hash('user', 'named_ids.id') }} = persons.user_hash
    group by named_ids.record_key

),

kept_out as (

    select /*+ broadcast(erased_records) */
        typed.* except (erased_at),
        coalesce(typed.erased_at, erased_records.erased_at) as erased_at
    from typed
    left join erased_records on typed.record_key = erased_records.record_key

),

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
        record_key,
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
        {{ loose_ids(
            'user', 'user_id', 'user_id_field', ['user_id_field', 'key_field', 'value_text'],
            'coalesce(occurred_at, kafka_timestamp, ingested_at)', 'reject_reason'
        ) }} as loose_ids,
        ingested_at,
        erased_at
    from judged

)

{{ recomputed() }}
