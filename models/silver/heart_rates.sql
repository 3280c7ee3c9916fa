{{ config(unique_key=['device_id', 'measured_at']) }}

{% if is_incremental() %}
{% set affected -%}
    select
        device_id,
        measured_at
    from {{ changes_of(ref('stg_kafka__bpm')) }}
    where device_id is not null
    union
    select
        readings.device_id,
        readings.measured_at
    from {{ this }} as readings
    inner join {{ changes_of(ref('device_registrations')) }} as ownership_changes
        on
            ownership_changes.kind = 'device'
            and readings.device_id = ownership_changes.identifier
            and {{ in_interval(
                'readings.measured_at', 'ownership_changes.owned_from', 'ownership_changes.owned_to'
            ) }}
{%- endset %}
{% set days = touched_days(affected, 'measured_at') %}
{% endif %}

with
{{ affected_cte(affected) }}

-- Of several values at one instant the lowest stands.
readings as (

    select
        records.device_id,
        records.measured_at,
        min(records.heart_rate_bpm) as heart_rate_bpm
    from {{ ref('stg_kafka__bpm') }} as records
    {% if is_incremental() %}
    left semi join affected
        on records.device_id = affected.device_id and records.measured_at = affected.measured_at
    {% endif %}
    where
        records.device_id is not null
        {%- if is_incremental() %}
        and {{ on_days(days, 'records.measured_at') }}
        {%- endif %}
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
        readings.measured_at
    from readings
    left join owners
        on
            readings.device_id = owners.identifier
            and {{ in_interval('readings.measured_at', 'owners.owned_from', 'owners.owned_to') }}

)

{{ reads_changes_of([ref('stg_kafka__bpm'), ref('device_registrations')]) }}
{{ recomputed(
    'old.device_id = affected.device_id and old.measured_at = affected.measured_at',
    days=days, day_of='measured_at'
) }}
