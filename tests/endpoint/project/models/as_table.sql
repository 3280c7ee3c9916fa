select
    id,
    name,
    array(named_struct('n', 1)) as nested,
    cast(1.5 as decimal(10, 2)) as price
from {{ ref("as_ephemeral") }}
