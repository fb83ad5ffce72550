"""Several rounds as one: each number is the median of the rounds', counts of checkpoints are the
fewest, and words are the first round's."""
import statistics


def combine(values, name=""):
    first = values[0]
    if name in ("costs", "checks"):
        return first
    if isinstance(first, dict):
        least = name == "checkpoints"
        return {key: min(value[key] for value in values) if least
                else combine([value[key] for value in values], key) for key in first}
    if isinstance(first, (list, tuple)):
        return [combine([value[i] for value in values]) for i in range(len(first))]
    if isinstance(first, (int, float)) and values.count(first) < len(values):
        return statistics.median(values)
    return first
