"""The pages of operators, inside the admin."""

from jobs.views.confirming import confirm_many, confirm_one
from jobs.views.job import job_page
from jobs.views.overview import overview_page
from jobs.views.tokens import issue_token

__all__ = ["confirm_many", "confirm_one", "issue_token", "job_page", "overview_page"]
