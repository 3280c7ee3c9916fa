{{ config(unique_key=['user_id', 'changed_at']) }}

with
{% call affected_cte() %}
    select
        user_id,
        changed_at
    from {{ changes_of(ref('stg_kafka__user_info')) }}
    where user_id is not null
{% endcall %}

records as (

    select *
    from {{ affected_only(ref('stg_kafka__user_info')) }}
    where user_id is not null

),

-- Repeats are one change, which appeared where its first copy did.
distinct_changes as (

    select
        user_id,
        update_type,
        sex,
        gender,
        first_name,
        last_name,
        street_address,
        city,
        state,
        zip_code,
        date_of_birth,
        changed_at,
        -- Null if no copy has a whole place in Kafka.
        min(
            if(
                kafka_timestamp is null or kafka_partition is null or kafka_offset is null,
                null,
                struct(kafka_timestamp, kafka_partition, kafka_offset)
            )
        ) as first_appearance
    from records
    group by all

),

-- Of different changes at one instant the one that first appeared last stands; one that never had a
-- place in Kafka comes before all that have; then the greater JSON text stands.
ranked as (

    select
        *,
        row_number() over (
            partition by user_id, changed_at
            order by
                first_appearance desc nulls last,
                to_json(struct(
                    update_type, date_of_birth, sex, gender, first_name, last_name, street_address,
                    city, state, zip_code
                )) desc
        ) as change_rank
    from distinct_changes

),

final as (

    select
        user_id,
        update_type,
        sex,
        gender,
        first_name,
        last_name,
        street_address,
        city,
        state,
        zip_code,
        date_of_birth,
        changed_at
    from ranked
    where change_rank = 1

)

{{ recomputed() }}
