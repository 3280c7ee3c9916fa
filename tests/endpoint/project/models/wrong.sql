{{ config(enabled=var("wrong_contract"), contract={"enforced": true}) }}

select cast(id as string) as id from {{ ref("as_view") }}
