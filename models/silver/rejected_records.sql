{{ config(materialized='view') }}

select
    feed,
    record_key,
    topic,
    topic_epoch,
    `partition`,
    `offset`,
    record_id,
    source_file,
    reject_reason as reason,
    ingested_at
from {{ ref('records') }}
where reject_reason is not null
