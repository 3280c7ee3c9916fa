{{ config(unique_key='record_key', meta={'day': 'ingested_at'}) }}

with bronze as (

    select
        user_id,
        device_id,
        mac_address,
        registration_timestamp,
        record_id,
        source_file,
        source_modified_at,
        ingested_at,
        erased_at,
        {{ trimmed('raw') }} as raw_text,
        {{ is_csv_file('source_file') }} as is_csv,
        -- What ingestion could not split into columns has none of them.
        user_id is null
        and device_id is null
        and mac_address is null
        and registration_timestamp is null as is_unsplit
    from {{ new_rows(source('bronze', 'registered_users'), key=['record_id']) }}

),

documents as (

    select
        *,
        -- Objects keep their JSON types in the raw line; a line of a CSV file is text throughout.
        case
            when left(raw_text, 1) = '{' and not is_csv then {{ json_document('raw_text') }}
        end as document
    from bronze

),

fields as (

    select
        *,
        {{ file_field('document', 'user_id') }} as user_id_field,
        {{ file_field('document', 'device_id') }} as device_id_field,
        {{ file_field('document', 'mac_address') }} as mac_address_field,
        {{ file_field('document', 'registration_timestamp') }} as registration_timestamp_field
    from documents

),

typed as (

    select
        *,
        {{ epoch_timestamp('registration_timestamp_field') }} as registered_at
    from fields

),

{{ keep_out(
    source('bronze', 'registered_users'), 'typed', 'user', identifier_of('user_id_field'), 'raw_text'
) }},

judged as (

    select
        *,
        case
            when is_unsplit and (raw_text is null or raw_text = '') then 'missing_value'
            when left(raw_text, 1) = '{' and not is_csv and document is null then 'malformed_json'
            when is_unsplit and is_csv then 'malformed_json'
            when is_unsplit and document is null and {{ json_document('raw_text') }} is null
                then 'malformed_json'
            when is_unsplit and document is null then 'not_an_object'
            when
                {{ any_of(is_missing, [
                    'user_id_field', 'device_id_field', 'mac_address_field',
                    'registration_timestamp_field',
                ]) }}
                then 'missing_field'
            when
                {{ any_of(is_wrong_id, ['user_id_field', 'device_id_field', 'mac_address_field']) }}
                or {{ is_wrong_number('registration_timestamp_field') }}
                then 'wrong_type'
            when {{ is_out_of_range('registered_at', 'ingested_at') }} then 'timestamp_out_of_range'
        end as reject_reason
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
        {{ if_valid(id_of('user_id_field')) }} as user_id,
        {{ if_valid(id_of('device_id_field')) }} as device_id,
        {{ if_valid('lower(' ~ id_of('mac_address_field') ~ ')') }} as mac_address,
        {{ if_valid('registered_at') }} as registered_at,
        source_modified_at,
        if(erased_at is null, reject_reason, null) as reject_reason,
        ingested_at,
        -- What is left of an erased registration: whose readings and logins stay out.
        case
            when erased_at is not null and reject_reason is null
                then named_struct(
                    'user_hash', identifier_hash,
                    'device_hash', {{ keyed_hash('device', id_of('device_id_field')) }},
                    'mac_hash',
                    {{ keyed_hash('mac', 'lower(' ~ id_of('mac_address_field') ~ ')') }},
                    'registered_at', registered_at
                )
        end as erased_registration,
        erased_at
    from judged

)

{{ recomputed() }}
