with fields as (

    select
        coalesce({{ trimmed('user_id') }}, '') as user_id_field,
        coalesce({{ trimmed('device_id') }}, '') as device_id_field,
        coalesce({{ trimmed('mac_address') }}, '') as mac_address_field,
        coalesce({{ trimmed('registration_timestamp') }}, '') as registration_timestamp_field,
        -- A line that could not be read has no columns; an absent field is an empty text.
        coalesce(user_id, device_id, mac_address, registration_timestamp) is null as is_unread,
        raw,
        record_id,
        source_file,
        source_modified_at,
        ingested_at,
        erased_at,
        bronze_version
    from {{ new_records(source('bronze', 'registered_users'), 'user') }}

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

{{ keep_out(
    source('bronze', 'registered_users'), 'typed', 'user',
    named='user_id', field='user_id_field', text='raw'
) }},

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
        record_id as record_key,
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
        ingested_at,
        -- What is left of an erased registration: whose readings and logins stay out.
        case
            when erased_at is not null and outcome is null
                then named_struct(
                    'user_hash', identifier_hash,
                    'device_hash', {{ keyed_hash('device', 'device_id') }},
                    'mac_hash', {{ keyed_hash('mac', 'mac_address') }},
                    'registered_at', registered_at
                )
        end as erased_registration,
        erased_at,
        bronze_version
    from judged

)

select * from final
