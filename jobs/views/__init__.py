"""The pages of operators, inside the admin; and the badge of a job, for pages of others."""

from jobs.views.badge_image import badge
from jobs.views.badge_links import renew_badge
from jobs.views.bulk import bulk_page, stop_bulk
from jobs.views.confirming import confirm_many, confirm_one
from jobs.views.contracts import contracts_page
from jobs.views.deliveries import delivery_page
from jobs.views.endpoint_acts import ENDPOINT_ACTS, endpoint_act
from jobs.views.endpoints import add_endpoint, change_endpoint, endpoint_page
from jobs.views.errors import errors_page
from jobs.views.item import item_page
from jobs.views.job import job_page, show_job
from jobs.views.letters import confirm_letters, letter_page
from jobs.views.overview import overview_page
from jobs.views.replaying import confirm_replay
from jobs.views.tokens import issue_token, revoke_tokens, rotate_token
from jobs.views.worker import worker_page

__all__ = [
    "ENDPOINT_ACTS",
    "add_endpoint",
    "badge",
    "bulk_page",
    "change_endpoint",
    "confirm_letters",
    "confirm_many",
    "confirm_one",
    "confirm_replay",
    "contracts_page",
    "delivery_page",
    "endpoint_act",
    "endpoint_page",
    "errors_page",
    "issue_token",
    "item_page",
    "job_page",
    "letter_page",
    "overview_page",
    "renew_badge",
    "revoke_tokens",
    "rotate_token",
    "show_job",
    "stop_bulk",
    "worker_page",
]
