{{ config(unique_key='record_key', meta={'day': 'ingested_at', 'sort_by': 'measured_at'}) }}

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
    from {{ new_rows(source('bronze', 'bpm'), key=['topic', 'topic_epoch', 'partition', 'offset', 'record_id']) }}

),

fields as (

    select
        *,
        {{ json_field('document', 'device_id') }} as device_id_field,
        {{ json_field('document', 'time') }} as time_field,
        {{ json_field('document', 'heartrate') }} as heartrate_field
    from bronze

),

typed as (

    select
        *,
        {{ as_id('device_id_field') }} as device_id,
        {{ as_number('heartrate_field') }} as heart_rate_bpm,
        {{ as_time('time_field') }} as measured_at
    from fields

),

named_ids as (

    select
        record_key,
        ingested_at,
        coalesce(measured_at, kafka_timestamp, ingested_at) as at,
        explode({{ ids_of(
            'device', 'device_id', 'device_id_field', ['device_id_field', 'key_field', 'value_text']
        ) }}) as id
    from typed

),

erased_records as (

    select /*+ broadcast(ownerships) */
        named_ids.record_key,
        min(greatest(ownerships.requested_at, named_ids.ingested_at)) as erased_at
    from named_ids
    cross join {{ erasure_pads(ref('stg_erasure__ownerships')) }} as pads
    inner join {{ ref('stg_erasure__ownerships') }} as ownerships
        on
            ownerships.kind = 'device'
            and {{ keyed_hash('device', 'named_ids.id') }} = ownerships.identifier_hash
            and {{ in_interval('named_ids.at', 'ownerships.owned_from', 'ownerships.owned_to') }}
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
        record_key,
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
        {{ loose_ids(
            'device', 'device_id', 'device_id_field', ['device_id_field', 'key_field', 'value_text'],
            'coalesce(measured_at, kafka_timestamp, ingested_at)', 'reject_reason'
        ) }} as loose_ids,
        ingested_at,
        erased_at
    from judged

)

{{ recomputed() }}
