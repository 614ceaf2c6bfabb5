"""Navigation, version 3, which somebody forgot to try."""

import maps_of_tomorrow  # noqa: F401  there is none
