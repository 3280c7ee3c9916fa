{{ config(unique_key=['device_id', 'measured_at'], meta={'day': 'measured_at'}) }}

with
{% call affected_cte() %}
    select
        device_id,
        measured_at
    from {{ changes_of(ref('stg_kafka__bpm')) }}
    where device_id is not null
    union
    -- A device that is handed on moves its readings.
    select
        readings.device_id,
        readings.measured_at
    from {{ this }} as readings
    inner join {{ changes_of(ref('device_registrations')) }} as moves
        on
            moves.kind = 'device'
            and readings.device_id = moves.identifier
            and {{ in_interval('readings.measured_at', 'moves.owned_from', 'moves.owned_to') }}
{% endcall %}

readings as (

    select
        device_id,
        measured_at,
        min(heart_rate_bpm) as heart_rate_bpm,
        count(distinct heart_rate_bpm) as num_values
    from {{ affected_only(ref('stg_kafka__bpm')) }}
    where device_id is not null
    group by all

),

owners as (

    select
        identifier,
        user_id,
        owned_from,
        owned_to
    from {{ ref('device_registrations') }}
    where kind = 'device'

),

final as (

    select
        readings.device_id,
        owners.user_id,
        readings.heart_rate_bpm,
        readings.num_values,
        readings.measured_at
    from readings
    left join owners
        on
            readings.device_id = owners.identifier
            and {{ in_interval('readings.measured_at', 'owners.owned_from', 'owners.owned_to') }}

)

{{ recomputed() }}
