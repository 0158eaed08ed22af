"""Times as text, rounded for the reader."""


def duration(seconds: float) -> str:
    """Return a duration such as "8 s", "1 min 12 s", "14 min" or "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def about(seconds: float) -> str:
    """Return a rounded estimate such as "about 25 s" or "about 14 min".

    It is rounded to 5 s below 90 s, to 1 min below 10 h, and to 1 h from there on.
    """
    if seconds < 90:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min"
    if minutes < 600:
        return f"about {minutes // 60} h {minutes % 60} min"
    return f"about {round(minutes / 60)} h"


def time_left(seconds: float | None) -> str:
    """Return the remaining time as text; empty if it is unknown."""
    return "" if seconds is None else f"{about(seconds)} left"
