{{ config(materialized='table') }}

-- One row: the day the member tables look back from. No model calls the clock.
with final as (

    select
        coalesce(
            {{ "date'" ~ var('as_of_date') ~ "'" if var('as_of_date') else 'null' }},
            cast(max(newest_event_at) as date)
        ) as as_of_date
    from {{ ref('feed_arrivals') }}
    where feed in ('bpm', 'workout', 'gym_logins')

)

select * from final
