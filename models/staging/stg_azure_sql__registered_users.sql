{{ config(unique_key='record_key', meta={'day': 'ingested_at'}) }}

with fields as (

    select
        coalesce({{ trimmed('user_id') }}, '') as user_id_field,
        coalesce({{ trimmed('device_id') }}, '') as device_id_field,
        coalesce({{ trimmed('mac_address') }}, '') as mac_address_field,
        coalesce({{ trimmed('registration_timestamp') }}, '') as registration_timestamp_field,
        -- A line that could not be read has no columns; an absent field is an empty text.
        coalesce(user_id, device_id, mac_address, registration_timestamp) is null as is_unread,
        raw,
        record_id as record_key,
        record_id,
        source_file,
        source_modified_at,
        ingested_at,
        erased_at
    from {{ new_rows(source('bronze', 'registered_users'), key=['record_id']) }}

),

typed as (

    select
        *,
        {{ as_id('user_id_field') }} as user_id,
        {{ as_id('device_id_field') }} as device_id,
        {{ as_mac('mac_address_field') }} as mac_address,
        {{ as_time('registration_timestamp_field') }} as registered_at
    from fields

),

named_ids as (

    select
        record_key,
        ingested_at,
        device_id,
        mac_address,
        registered_at,
        explode({{ ids_of('user', 'user_id', 'user_id_field', ['user_id_field', 'raw']) }}) as id
    from typed

),

-- What is left of an erased registration: whose readings and logins stay out.
erased_records as (

    select /*+ broadcast(persons) */
        named_ids.record_key,
        min(greatest(persons.requested_at, named_ids.ingested_at)) as erased_at,
        min_by(
            named_struct(
                'user_hash', persons.user_hash,
                'device_hash', {{ keyed_hash('device', 'named_ids.device_id') }},
                'mac_hash', {{ keyed_hash('mac', 'named_ids.mac_address') }},
                'registered_at', named_ids.registered_at
            ),
            persons.user_hash
        ) as erased_registration
    from named_ids
    cross join {{ erasure_pads(source('bronze', 'suppression_list')) }} as pads
    inner join {{ source('bronze', 'suppression_list') }} as persons
        on {{ keyed_hash('user', 'named_ids.id') }} = persons.user_hash
    group by named_ids.record_key

),

kept_out as (

    select /*+ broadcast(erased_records) */
        typed.* except (erased_at),
        coalesce(typed.erased_at, erased_records.erased_at) as erased_at,
        erased_records.erased_registration
    from typed
    left join erased_records on typed.record_key = erased_records.record_key

),

judged as (

    select
        *,
        case
            when is_unread and coalesce({{ trimmed('raw') }}, '') = '' then 'missing_value'
            when is_unread then 'malformed'
            when
                '' in (
                    user_id_field, device_id_field, mac_address_field, registration_timestamp_field
                )
                then 'missing_field'
            when
                user_id is null
                or device_id is null
                or mac_address is null
                or registered_at is null
                then 'wrong_type'
            when {{ is_out_of_range('registered_at', 'ingested_at') }} then 'timestamp_out_of_range'
        end as outcome,
        outcome is null and erased_at is null as is_valid
    from kept_out

),

final as (

    select
        record_key,
        cast(null as string) as topic,
        cast(null as int) as topic_epoch,
        cast(null as int) as kafka_partition,
        cast(null as bigint) as kafka_offset,
        cast(null as timestamp) as kafka_timestamp,
        record_id,
        source_file,
        if(is_valid, user_id, null) as user_id,
        if(is_valid, device_id, null) as device_id,
        if(is_valid, mac_address, null) as mac_address,
        if(is_valid, registered_at, null) as registered_at,
        source_modified_at,
        if(erased_at is null, outcome, null) as reject_reason,
        {{ loose_ids(
            'user', 'user_id', 'user_id_field', ['user_id_field', 'raw'],
            'coalesce(registered_at, source_modified_at, ingested_at)', 'outcome'
        ) }} as loose_ids,
        ingested_at,
        if(outcome is null, erased_registration, null) as erased_registration,
        erased_at
    from judged

)

{{ recomputed() }}
