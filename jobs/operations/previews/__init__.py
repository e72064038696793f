"""What an act would do, before anybody presses it. Only reads."""

from jobs.operations.previews.acts import ACTS, ActSpec, Scope, forbidden, refusal
from jobs.operations.previews.snapshot import Figures, figures_of, leases_of
from jobs.operations.previews.estimate import Forecast, forecasts, many_figures
from jobs.operations.previews.buttons import Offer, item_offers, offer, offers
from jobs.operations.previews.confirmation_text import Preview, preview

__all__ = [
    "ACTS",
    "ActSpec",
    "Figures",
    "Forecast",
    "Offer",
    "Preview",
    "Scope",
    "figures_of",
    "forbidden",
    "forecasts",
    "item_offers",
    "leases_of",
    "many_figures",
    "offer",
    "offers",
    "preview",
    "refusal",
]
