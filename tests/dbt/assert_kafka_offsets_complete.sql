-- A hole or a repeat in the offsets of a partition is a record lost or counted twice on its way to
-- bronze. Rows from files are left out: their offsets may repeat. Accepted losses are in
-- bronze.ingestion_gaps.
-- var sparse_feeds: feeds of compacted or transactional topics, whose offsets have holes by nature.

with records as (

    {% for feed in ['user_info', 'bpm', 'workout'] %}
    select
        '{{ feed }}' as feed,
        topic_epoch,
        `partition`,
        `offset`
    from {{ source('bronze', feed) }}
    where source_file is null
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

present as (
    select
        feed,
        topic_epoch,
        `partition`,
        min(`offset`) as first_offset,
        max(`offset`) as last_offset,
        count(*) as records,
        count(distinct `offset`) as offsets
    from records
    group by feed, topic_epoch, `partition`
),

accepted as (
    select
        present.feed,
        present.topic_epoch,
        present.`partition`,
        sum(greatest(
            0,
            least(gaps.to_offset, present.last_offset + 1)
            - greatest(gaps.from_offset, present.first_offset)
        )) as offsets
    from present
    inner join {{ source('bronze', 'ingestion_gaps') }} as gaps
        on
            present.feed = gaps.feed
            and present.topic_epoch = gaps.topic_epoch
            and present.`partition` = gaps.`partition`
    group by present.feed, present.topic_epoch, present.`partition`
),

final as (
    select
        present.feed,
        present.topic_epoch,
        present.`partition`,
        present.records - present.offsets as repeats,
        present.last_offset - present.first_offset + 1
        - present.offsets - coalesce(accepted.offsets, 0) as missing
    from present
    left join accepted
        on
            present.feed = accepted.feed
            and present.topic_epoch = accepted.topic_epoch
            and present.`partition` = accepted.`partition`
)

select *
from final
where
    repeats > 0
    or (
        missing > 0
        and not array_contains(
            array('', {{ "'" ~ var('sparse_feeds', []) | join("', '") ~ "'" }}), feed
        )
    )
