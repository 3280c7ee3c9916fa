-- Nothing is dropped without a word: per feed and arrival date, the records that staging holds are
-- the sum of their outcomes.
{{ config(group="silver") }}
{% set feeds = {
    'user_info': ref('stg_kafka__user_info'),
    'bpm': ref('stg_kafka__bpm'),
    'workout': ref('stg_kafka__workout'),
    'registered_users': ref('stg_azure_sql__registered_users'),
    'gym_logins': ref('stg_azure_sql__gym_logins'),
} %}
with staged as (

    {% for feed, records in feeds.items() %}
    select
        '{{ feed }}' as feed,
        cast(ingested_at as date) as arrival_date,
        count(*) as received
    from {{ records }}
    group by all
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    coalesce(staged.feed, health.feed) as feed,
    coalesce(staged.arrival_date, health.arrival_date) as arrival_date,
    staged.received as staged_records,
    health.received as records_with_outcome
from staged
full outer join {{ ref('pipeline_health') }} as health
    on staged.feed = health.feed and staged.arrival_date = health.arrival_date
where not (staged.received <=> health.received)
