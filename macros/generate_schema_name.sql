{# Schemas are the layers themselves (bronze, silver, gold), not suffixes of a personal schema:
   a developer's own copy lives in a catalog of its own. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
