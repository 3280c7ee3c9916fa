{#  Generic test: the rules of a table, read in one scan (and one grouping for the key). One row for
    each broken rule: its name and how many rows break it. No values, so nothing personal in
    failures.

    unique: columns that identify a row (nulls are values); not_null: columns; rules: {name: SQL
    that holds for each row}. #}
{% test table_rules(model, unique, not_null=[], rules={}) %}
with checked as (

    select
        {%- for column in not_null %}
        count_if(`{{ column }}` is null) as `{{ column }}_is_not_null`,
        {%- endfor %}
        {%- for name, rule in rules.items() %}
        count_if(not coalesce({{ rule }}, false)) as `{{ name }}`,
        {%- endfor %}
        count(*) - (
            select count(*)
            from (
                select distinct
                    {% for column in unique %}`{{ column }}`{{ ', ' if not loop.last }}{% endfor %}
                from {{ model }}
            )
        ) as `{{ unique | join('_') }}_is_unique`
    from {{ model }}

),

unpivoted as (

    select stack(
        {{ not_null | length + rules | length + 1 }},
        {%- for column in not_null %}
        '{{ column }}_is_not_null', `{{ column }}_is_not_null`,
        {%- endfor %}
        {%- for name in rules %}
        '{{ name }}', `{{ name }}`,
        {%- endfor %}
        '{{ unique | join('_') }}_is_unique', `{{ unique | join('_') }}_is_unique`
    ) as (rule, broken_rows)
    from checked

)

select *
from unpivoted
where broken_rows > 0
{% endtest %}
