{# The first UTC date that begins at or after an instant; null stays null. #}
{% macro first_day(instant) -%}
    date_add(cast({{ instant }} as date), if({{ instant }} > cast({{ instant }} as date), 1, 0))
{%- endmacro %}


{#  The date on which someone reaches an age; who is born on 29 February does so on 1 March in other
    years. #}
{% macro birthday(birth_date, age) -%}
    date_add(
        add_months({{ birth_date }}, 12 * ({{ age }})),
        if(day(add_months({{ birth_date }}, 12 * ({{ age }}))) < day({{ birth_date }}), 1, 0)
    )
{%- endmacro %}
