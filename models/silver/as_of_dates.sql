{{ config(materialized='table') }}

-- One row: the day the member tables look back from. No model calls the clock.
with newest as (

    select max(measured_at) as event_at
    from {{ ref('heart_rates') }}
    union all
    select max(occurred_at) as event_at
    from {{ ref('stg_kafka__workout') }}
    union all
    select max(login_at) as event_at
    from {{ ref('gym_visits') }}

),

final as (

    select
        {{
            "date'" ~ var('as_of_date') ~ "'" if var('as_of_date') else 'cast(max(event_at) as date)'
        }} as as_of_date
    from newest

)

select * from final
