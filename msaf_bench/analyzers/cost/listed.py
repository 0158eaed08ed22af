"""Cost of every system of `models/` for one clip at 512x1024, as shown by `msaf-bench list`.

python -m msaf_bench.analyzers.cost.listed > models/costs.json
"""

import sys
from collections.abc import Iterable

from msaf_bench.analyzers.cost.system import system_cost
from msaf_bench.catalog import LISTED_CLASSES, LISTED_SIZE, ListedCost, list_systems, read_system
from msaf_bench.documents import json_text


def listed_costs(names: Iterable[str]) -> dict[str, ListedCost]:
    """Count the parameters and MACs of systems by formulas only."""
    counted = {name: system_cost(read_system(name), LISTED_CLASSES, LISTED_SIZE) for name in names}
    return {
        name: ListedCost(params=cost.total_params, macs=cost.total_macs)
        for name, cost in counted.items()
    }


if __name__ == "__main__":
    costs = listed_costs(list_systems())
    sys.stdout.write(json_text({name: cost._asdict() for name, cost in costs.items()}))
