{{ config(unique_key=['feed', 'arrival_date']) }}

select
    feed,
    received,
    accepted,
    rejected,
    erased,
    logouts_ignored,
    late,
    p50_lateness_seconds,
    p95_lateness_seconds,
    p99_lateness_seconds,
    max_lateness_seconds,
    rejected_by_reason,
    arrival_date,
    newest_event_at,
    newest_arrival_at
from {{ ref('feed_arrivals') }}
