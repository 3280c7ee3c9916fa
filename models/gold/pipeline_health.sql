{{ config(materialized='table') }}

with outcomes as (

    select
        feed,
        arrival_date,
        sum(records) as received,
        coalesce(sum(records) filter (where outcome = 'accepted'), 0) as accepted,
        coalesce(sum(records) filter (where outcome = 'rejected'), 0) as rejected,
        coalesce(sum(records) filter (where outcome = 'repeat'), 0) as repeats,
        coalesce(sum(records) filter (where outcome = 'conflict'), 0) as conflicts,
        coalesce(sum(records) filter (where outcome = 'superseded'), 0) as superseded,
        coalesce(sum(records) filter (where outcome = 'erased'), 0) as erased,
        coalesce(sum(records) filter (where outcome = 'rejected' and reason = 'missing_value'), 0)
            as rejected_missing_value,
        coalesce(sum(records) filter (where outcome = 'rejected' and reason = 'malformed'), 0)
            as rejected_malformed,
        coalesce(sum(records) filter (where outcome = 'rejected' and reason = 'missing_field'), 0)
            as rejected_missing_field,
        coalesce(sum(records) filter (where outcome = 'rejected' and reason = 'wrong_type'), 0)
            as rejected_wrong_type,
        coalesce(
            sum(records) filter (where outcome = 'rejected' and reason = 'unknown_update_type'),
            0
        ) as rejected_unknown_update_type,
        coalesce(sum(records) filter (where outcome = 'rejected' and reason = 'unknown_action'), 0)
            as rejected_unknown_action,
        coalesce(
            sum(records) filter (where outcome = 'rejected' and reason = 'timestamp_out_of_range'),
            0
        ) as rejected_timestamp_out_of_range,
        coalesce(
            sum(records) filter (where outcome = 'rejected' and reason = 'heart_rate_out_of_range'),
            0
        ) as rejected_heart_rate_out_of_range
    from {{ ref('record_outcomes') }}
    group by all

),

final as (

    select
        outcomes.feed,
        outcomes.received,
        outcomes.accepted,
        outcomes.rejected,
        outcomes.repeats,
        outcomes.conflicts,
        outcomes.superseded,
        outcomes.erased,
        outcomes.rejected_missing_value,
        outcomes.rejected_malformed,
        outcomes.rejected_missing_field,
        outcomes.rejected_wrong_type,
        outcomes.rejected_unknown_update_type,
        outcomes.rejected_unknown_action,
        outcomes.rejected_timestamp_out_of_range,
        outcomes.rejected_heart_rate_out_of_range,
        arrivals.late,
        arrivals.unowned_readings,
        arrivals.p50_lateness_seconds,
        arrivals.p95_lateness_seconds,
        arrivals.p99_lateness_seconds,
        arrivals.max_lateness_seconds,
        outcomes.arrival_date,
        arrivals.newest_event_at,
        arrivals.newest_arrival_at
    from outcomes
    left join {{ ref('feed_arrivals') }} as arrivals
        on outcomes.feed = arrivals.feed and outcomes.arrival_date = arrivals.arrival_date

)

select * from final
