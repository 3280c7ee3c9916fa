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
        -- A tombstone is a delete of the user in its key, at Kafka's time.
        value is null as is_tombstone,
        is_valid_utf8(cast(key as string)) as is_key_text,
        {{ trimmed('cast(value as string)') }} as value_text,
        {{ text_field('cast(key as string)') }} as key_field
    from {{ new_rows(source('bronze', 'user_info'), key=['topic', 'topic_epoch', 'partition', 'offset', 'record_id']) }}

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
        if(is_tombstone, key_field, {{ json_field('document', '$.user_id') }}) as user_id_field,
        {{ json_field('document', '$.update_type') }} as update_type_field,
        {{ json_field('document', '$.timestamp') }} as timestamp_field,
        {{ json_field('document', '$.dob') }} as dob_field,
        {{ json_field('document', '$.sex') }} as sex_field,
        {{ json_field('document', '$.gender') }} as gender_field,
        {{ json_field('document', '$.first_name') }} as first_name_field,
        {{ json_field('document', '$.last_name') }} as last_name_field,
        {{ json_field('document', '$.address.street_address') }} as street_address_field,
        {{ json_field('document', '$.address.city') }} as city_field,
        {{ json_field('document', '$.address.state') }} as state_field,
        {{ json_field('document', '$.address.zip') }} as zip_field
    from documents

),

typed as (

    select
        *,
        if(is_tombstone, kafka_timestamp, {{ epoch_timestamp('timestamp_field') }}) as changed_at,
        if(is_tombstone, 'delete', update_type_field.text) as update_type
    from fields

),

{{ keep_out(
    source('bronze', 'user_info'), 'typed', 'user', identifier_of('user_id_field', 'key_field'), 'value_text'
) }},

judged as (

    select
        *,
        case
            when erased_at is not null then null
            when is_tombstone and ({{ is_missing('key_field') }} or kafka_timestamp is null)
                then 'missing_field'
            when is_tombstone and not is_key_text then 'wrong_type'
            when is_tombstone and {{ is_out_of_range('changed_at', 'ingested_at') }}
                then 'timestamp_out_of_range'
            when is_tombstone then null
            {{ structural_reason('value_text', 'document') }}
            when {{ any_of(is_missing, ['user_id_field', 'update_type_field', 'timestamp_field']) }}
                then 'missing_field'
            when
                {{ is_wrong_id('user_id_field') }}
                or {{ is_wrong_number('timestamp_field') }}
                or {{ is_composite('update_type_field') }}
                then 'wrong_type'
            when update_type not in ('new', 'update', 'delete') then 'unknown_update_type'
            when {{ is_out_of_range('changed_at', 'ingested_at') }} then 'timestamp_out_of_range'
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
        {{ if_valid('update_type') }} as update_type,
        {{ if_image(optional_text('sex_field')) }} as sex,
        {{ if_image(optional_text('gender_field')) }} as gender,
        {{ if_image(optional_text('first_name_field')) }} as first_name,
        {{ if_image(optional_text('last_name_field')) }} as last_name,
        {{ if_image(optional_text('street_address_field')) }} as street_address,
        {{ if_image(optional_text('city_field')) }} as city,
        {{ if_image(optional_text('state_field')) }} as state,
        {{ if_image(optional_text('zip_field')) }} as zip_code,
        {{ if_image(birth_date('dob_field', 'changed_at')) }} as date_of_birth,
        {{ if_valid('changed_at') }} as changed_at,
        reject_reason,
        ingested_at,
        erased_at
    from judged

)

{{ recomputed() }}
