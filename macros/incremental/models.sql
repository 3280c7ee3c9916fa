{#  The five macros that a model may name. dbt's own compile has no plan: then each renders what a full
    build needs, and nothing of a run. The build renders the model once more, by a plan (plan.sql). #}


{% macro changes_of(relation) -%}
    {%- set plan = model.get('plan') -%}
    {%- if not plan -%} (select *, 'insert' as _change_type from {{ relation }})
    {%- else -%}
        {%- do plan.mapped.append(name_of(relation)) -%}
        {{ change_feed(relation, plan.since.get(name_of(relation))) }}
    {%- endif -%}
{%- endmacro %}


{% macro new_rows(relation, key) -%}
    {%- set plan = model.get('plan') -%}
    {%- if not plan -%} {{ relation }}
    {%- else -%}
        {%- set name = name_of(relation) -%}
        {%- do plan.mapped.append(name) -%}
        {%- do plan.sources.append(name) -%}
        {%- set since = plan.since.get(name) -%}
        {%- set rows -%}
        (
            select * except (
                _change_type, _commit_version, _commit_timestamp{{ ', _newest' if since and since.has_updates }}
            )
            from {% if since and since.has_updates -%}
            (
                select *, row_number() over (
                    partition by {% for column in key %}{{ quoted(column) }}{{ ', ' if not loop.last }}{% endfor %}
                    order by _commit_version desc
                ) as _newest
                from {{ change_feed(relation, since) }}
                where _change_type = 'insert' or _change_type = 'update_postimage'
            )
            where _newest = 1
            {%- else -%}
            {{ change_feed(relation, since) }}
            where _change_type = 'insert'
            {%- endif %}
        )
        {%- endset -%}
        {#- A row that was changed may lie elsewhere now than the one it takes the place of. -#}
        {%- if not (since and since.has_updates) -%}{%- do find_ranges(plan, rows) -%}{%- endif -%}
        {{ rows }}
    {%- endif -%}
{%- endmacro %}


{% macro affected_cte() -%}
    {%- set plan = model.get('plan') -%}
    {%- if plan or not execute -%}
        {%- set affected = caller() -%}
    {%- endif -%}
    {%- if plan -%}
        {%- do find_ranges(plan, '(' ~ affected ~ ')') -%}
    affected as (
        select distinct * from ({{ affected }})
    ),
    {%- endif -%}
{%- endmacro %}


{% macro affected_only(relation, by=none, day=none, slack=0) -%}
    {%- set plan = model.get('plan') -%}
    {%- if not plan -%} {{ relation }}
    {%- else -%}
    (
        select input.*
        from {{ relation }} as input
        left semi join affected on {{ same(by or unique_key(), 'input', 'affected') }}
        where {{ on_days(plan.ranges, 'input.' ~ (day or meta_of('day')), slack) }}
    )
    {%- endif -%}
{%- endmacro %}


{% macro recomputed(by=none) -%}
    {%- set plan = model.get('plan') -%}
    {%- if not plan -%}
    select * from final
        {%- if meta_of('sort_by') or meta_of('day') %}
    sort by {{ meta_of('sort_by') or meta_of('day') }}
        {%- endif -%}
    {%- elif plan.sources -%}
    select {{ columns_of('final') }}, false as is_gone from final
    {%- else -%}
    select {{ columns_of('final') }}, false as is_gone
    from final
    left semi join affected on {{ same(by or unique_key(), 'final', 'affected') }}
    union all
    select {{ columns_of('old') }}, true as is_gone
    from {{ this }} as old
    left semi join affected on {{ same(by or unique_key(), 'old', 'affected') }}
    left anti join final on {{ same(unique_key(), 'old', 'final') }}
    where {{ in_ranges(plan.ranges, 'old.' ~ meta_of('day')) }}
    {%- endif -%}
{%- endmacro %}
