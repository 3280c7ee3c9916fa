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
        value is null as is_tombstone,  -- a delete of the user in its key, at Kafka's time
        is_valid_utf8(cast(key as string)) as is_key_text,
        {{ trimmed('cast(key as string)') }} as key_text,
        {{ key_field(trimmed('cast(key as string)')) }} as key_field,
        cast(value as string) as value_text,
        {{ json_document('cast(value as string)') }} as document
    from {{ new_rows(source('bronze', 'user_info'), key=['topic', 'topic_epoch', 'partition', 'offset', 'record_id']) }}

),

fields as (

    select
        *,
        if(is_tombstone, key_field, {{ json_field('document', 'user_id') }}) as user_id_field,
        if(is_tombstone, key_text, {{ json_field('document', 'user_id') }}) as spelled_id,
        {{ json_field('document', 'update_type') }} as update_type_field,
        {{ json_field('document', 'timestamp') }} as timestamp_field,
        {{ json_field('document', 'dob') }} as dob_field,
        {{ json_field('document', 'sex') }} as sex_field,
        {{ json_field('document', 'gender') }} as gender_field,
        {{ json_field('document', 'first_name') }} as first_name_field,
        {{ json_field('document', 'last_name') }} as last_name_field,
        {{ json_field('document', 'address.street_address') }} as street_address_field,
        {{ json_field('document', 'address.city') }} as city_field,
        {{ json_field('document', 'address.state') }} as state_field,
        {{ json_field('document', 'address.zip') }} as zip_field
    from bronze

),

typed as (

    select
        *,
        if(is_tombstone and not is_key_text, null, {{ as_id('user_id_field') }}) as user_id,
        if(is_tombstone, 'delete', update_type_field) as update_type,
        if(is_tombstone, kafka_timestamp, {{ as_time('timestamp_field') }}) as changed_at
    from fields

),

named_ids as (

    select
        record_key,
        ingested_at,
        explode({{ ids_of('user', 'user_id', 'spelled_id', ['spelled_id', 'key_field', 'value_text']) }}) as id
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
            when is_tombstone and (user_id_field = '' or changed_at is null) then 'missing_field'
            when is_tombstone and user_id is null then 'wrong_type'
            when is_tombstone and {{ is_out_of_range('changed_at', 'ingested_at') }}
                then 'timestamp_out_of_range'
            when is_tombstone then null
            when document is null and coalesce({{ trimmed('value_text') }}, '') = ''
                then 'missing_value'
            when document is null then 'malformed'
            when '' in (user_id_field, update_type_field, timestamp_field) then 'missing_field'
            when user_id is null or changed_at is null then 'wrong_type'
            when update_type not in ('new', 'update', 'delete') then 'unknown_update_type'
            when {{ is_out_of_range('changed_at', 'ingested_at') }} then 'timestamp_out_of_range'
        end as reject_reason,
        reject_reason is null and erased_at is null as is_valid,
        is_valid and update_type <> 'delete' as is_image
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
        if(is_valid, update_type, null) as update_type,
        if(is_image, {{ as_text('sex_field') }}, null) as sex,
        if(is_image, {{ as_text('gender_field') }}, null) as gender,
        if(is_image, {{ as_text('first_name_field') }}, null) as first_name,
        if(is_image, {{ as_text('last_name_field') }}, null) as last_name,
        if(is_image, {{ as_text('street_address_field') }}, null) as street_address,
        if(is_image, {{ as_text('city_field') }}, null) as city,
        if(is_image, {{ as_text('state_field') }}, null) as state,
        if(is_image, {{ as_text('zip_field') }}, null) as zip_code,
        if(is_image, {{ as_birth_date('dob_field', 'changed_at') }}, null) as date_of_birth,
        if(is_valid, changed_at, null) as changed_at,
        reject_reason,
        {{ loose_ids(
            'user', 'user_id', 'spelled_id', ['spelled_id', 'key_field', 'value_text'],
            'coalesce(changed_at, kafka_timestamp, ingested_at)', 'reject_reason'
        ) }} as loose_ids,
        ingested_at,
        erased_at
    from judged

)

{{ recomputed() }}
