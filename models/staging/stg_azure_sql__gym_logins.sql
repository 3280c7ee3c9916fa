{{ config(unique_key='record_key', meta={'day': 'ingested_at'}) }}

with bronze as (

    select
        mac_address,
        gym,
        login,
        logout,
        record_id,
        source_file,
        source_modified_at,
        ingested_at,
        erased_at,
        {{ trimmed('raw') }} as raw_text,
        {{ is_csv_file('source_file') }} as is_csv,
        -- What ingestion could not split into columns has none of them.
        mac_address is null and gym is null and login is null and logout is null as is_unsplit
    from {{ new_rows(source('bronze', 'gym_logins'), key=['record_id']) }}

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
        {{ file_field('document', 'mac_address') }} as mac_address_field,
        {{ file_field('document', 'gym') }} as gym_field,
        {{ file_field('document', 'login') }} as login_field,
        {{ file_field('document', 'logout') }} as logout_field
    from documents

),

times as (

    select
        *,
        {{ epoch_timestamp('login_field') }} as login_at,
        case
            when not {{ is_missing('logout_field') }} and not {{ is_wrong_number('logout_field') }}
                then {{ epoch_timestamp('logout_field') }}
        end as stated_logout_at
    from fields

),

typed as (

    select
        *,
        -- A logout that is no valid time, or not after its login, counts as none; the row stands.
        case
            when
                stated_logout_at > login_at
                and not {{ is_out_of_range('stated_logout_at', 'ingested_at') }}
                then stated_logout_at
        end as logout_at
    from times

),

{{ keep_out(
    source('bronze', 'gym_logins'), 'typed', 'mac',
    'lower(' ~ identifier_of('mac_address_field') ~ ')', 'lower(raw_text)',
    at='coalesce(login_at, source_modified_at, ingested_at)'
) }},

judged as (

    select
        *,
        case
            when erased_at is not null then null
            when is_unsplit and (raw_text is null or raw_text = '') then 'missing_value'
            when left(raw_text, 1) = '{' and not is_csv and document is null then 'malformed_json'
            when is_unsplit and is_csv then 'malformed_json'
            when is_unsplit and document is null and {{ json_document('raw_text') }} is null
                then 'malformed_json'
            when is_unsplit and document is null then 'not_an_object'
            when {{ any_of(is_missing, ['mac_address_field', 'gym_field', 'login_field']) }}
                then 'missing_field'
            when
                {{ any_of(is_wrong_id, ['mac_address_field', 'gym_field']) }}
                or {{ is_wrong_number('login_field') }}
                then 'wrong_type'
            when {{ is_out_of_range('login_at', 'ingested_at') }} then 'timestamp_out_of_range'
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
        {{ if_valid('lower(' ~ id_of('mac_address_field') ~ ')') }} as mac_address,
        {{ if_valid(id_of('gym_field')) }} as gym_id,
        {{ if_valid("logout_at is null and not " ~ is_missing('logout_field')) }}
            as is_logout_ignored,
        {{ if_valid('login_at') }} as login_at,
        {{ if_valid('logout_at') }} as logout_at,
        source_modified_at,
        reject_reason,
        ingested_at,
        erased_at
    from judged

)

{{ recomputed() }}
