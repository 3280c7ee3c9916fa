{{ config(unique_key='record_key', meta={'day': 'ingested_at'}) }}

with fields as (

    select
        coalesce({{ trimmed('mac_address') }}, '') as mac_address_field,
        coalesce({{ trimmed('gym') }}, '') as gym_field,
        coalesce({{ trimmed('login') }}, '') as login_field,
        coalesce({{ trimmed('logout') }}, '') as logout_field,
        -- A line that could not be read has no columns; an absent field is an empty text.
        coalesce(mac_address, gym, login, logout) is null as is_unread,
        raw,
        record_id as record_key,
        record_id,
        source_file,
        source_modified_at,
        ingested_at,
        erased_at
    from {{ new_rows(source('bronze', 'gym_logins'), key=['record_id']) }}

),

typed as (

    select
        *,
        {{ as_mac('mac_address_field') }} as mac_address,
        {{ as_id('gym_field') }} as gym_id,
        {{ as_time('logout_field') }} as stated_logout_at,
        {{ as_time('login_field') }} as login_at
    from fields

),

named_ids as (

    select
        record_key,
        ingested_at,
        coalesce(login_at, source_modified_at, ingested_at) as at,
        explode({{ ids_of('mac', 'mac_address', 'mac_address_field', ['mac_address_field', 'raw']) }}) as id
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
            ownerships.kind = 'mac'
            and {{ keyed_hash('mac', 'named_ids.id') }} = ownerships.identifier_hash
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
            when is_unread and coalesce({{ trimmed('raw') }}, '') = '' then 'missing_value'
            when is_unread then 'malformed'
            when '' in (mac_address_field, gym_field, login_field) then 'missing_field'
            when mac_address is null or gym_id is null or login_at is null then 'wrong_type'
            when {{ is_out_of_range('login_at', 'ingested_at') }} then 'timestamp_out_of_range'
        end as reject_reason,
        reject_reason is null and erased_at is null as is_valid,
        case
            when
                stated_logout_at > login_at
                and stated_logout_at <= login_at + interval {{ var('max_visit_hours') }} hours
                and not {{ is_out_of_range('stated_logout_at', 'ingested_at') }}
                then stated_logout_at
        end as logout_at
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
        if(is_valid, mac_address, null) as mac_address,
        if(is_valid, gym_id, null) as gym_id,
        if(is_valid, logout_at is null and logout_field <> '', null) as is_logout_ignored,
        if(is_valid, login_at, null) as login_at,
        if(is_valid, logout_at, null) as logout_at,
        source_modified_at,
        reject_reason,
        {{ loose_ids(
            'mac', 'mac_address', 'mac_address_field', ['mac_address_field', 'raw'],
            'coalesce(login_at, source_modified_at, ingested_at)', 'reject_reason'
        ) }} as loose_ids,
        ingested_at,
        erased_at
    from judged

)

{{ recomputed() }}
