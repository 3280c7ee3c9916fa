{{ config(materialized="view", tags=["always"]) }}

select id, name, joined from {{ ref("members") }}
