{{ config(unique_key='gym_id') }}

with visited as (

    select distinct gym_id
    from {{ ref('gym_visits') }}

),

final as (

    select
        gym_id,
        coalesce(locations.gym_name, gym_id) as gym_name,
        coalesce(locations.time_zone, '{{ var("default_time_zone") }}') as time_zone,
        locations.capacity
    from visited
    full outer join {{ ref('gym_locations') }} as locations using (gym_id)

)

select * from final
