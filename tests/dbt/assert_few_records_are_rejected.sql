-- A producer gone bad shows here: of a day's records of a feed, no more than var max_reject_share
-- may be rejected (days with fewer than var min_records_for_reject_share records are too small for
-- a share).
select
    feed,
    arrival_date,
    received,
    rejected
from {{ ref('pipeline_health') }}
where
    received >= {{ var('min_records_for_reject_share') }}
    and rejected > {{ var('max_reject_share') }} * received
