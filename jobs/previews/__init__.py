"""What an act would do, before anybody presses it. Only reads."""

from jobs.previews.acts import ACTS, ActSpec, Scope, forbidden, refusal
from jobs.previews.figures import Figures, figures_of, leases_of
from jobs.previews.forecast import Forecast, forecasts, many_figures
from jobs.previews.offers import Offer, item_offers, offer, offers
from jobs.previews.sentences import Preview, preview

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
