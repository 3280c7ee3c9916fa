{{ config(materialized="incremental", incremental_strategy="delete+insert", unique_key="id") }}

-- Two rows a key, which a merge would refuse.
select id, name from {{ ref("as_view") }}
union all
select id, concat(name, '!') from {{ ref("as_view") }}
