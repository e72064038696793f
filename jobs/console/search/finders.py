"""The finders of the kernel: jobs, items, errors, workers, acts and pages."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.urls import reverse

from jobs.console import status_styles
from jobs.console.navigation import navigation_of
from jobs.console.search.registry import MOST_HITS, Hit, SearchQuery, finder
from jobs.db.keyset import newest
from jobs.db.prefix import begins_with
from jobs.models import Item, Job, Phase, Worker
from jobs.models.items import digest
from jobs.models.jobs import JobQuerySet
from jobs.operations.base import Operation
from jobs.operations.registry import ACTS, refusal
from jobs.rules import names, pipelines
from jobs.rules.formatting import format_ago, pluralize
from jobs.rules.limits import NAME_LENGTH
from jobs.rules.statuses import JobStatus

# Only the newest rows are searched for a part of a text: no index has it.
RECENT_JOBS, RECENT_FAILURES = 2_000, 2_000
RECENT_WORKERS = 5_000
LONGEST_ID = 18
ENOUGH = MOST_HITS + 1


@finder
def find_jobs(query: SearchQuery) -> Iterator[Hit]:
    """Find jobs by id, by the beginning of the name or project, and the newest by a part of the name."""
    for job in jobs_found(query.access.jobs(), query.text):
        yield job_hit(job)


def jobs_found(jobs: JobQuerySet, text: str) -> list[Job]:
    """Return the jobs for this text in three statements; exact names first."""
    name = names.plain(text)[:NAME_LENGTH]
    if not name:
        return []
    exactly = begins_with("name", name)
    if text.isascii() and text.isdigit() and len(text) <= LONGEST_ID:
        exactly |= Q(pk=int(text))
    lately = newest(jobs, "updated_at", RECENT_JOBS).filter(Q(name__icontains=name) | Q(project__iexact=name))
    found = [*jobs.filter(exactly).order_by("name")[:ENOUGH], *lately.order_by("-updated_at", "-id")[:ENOUGH]]
    return sorted(dict.fromkeys(found), key=lambda job: (job.name != name, str(job.pk) != text))


def job_hit(job: Job) -> Hit:
    """Return the result for a job, under the name of its pipeline where that has a list of its own."""
    kind = pipelines.find(job.kind)
    group = kind.plural if kind and kind.list_page else "Jobs"
    detail = " · ".join(filter(None, [pipelines.label_of(job.kind) if group == "Jobs" else "", job.project]))
    return Hit(group, job.name, job.get_absolute_url(), detail, status_styles.style_of(job))


@finder
def find_items(query: SearchQuery) -> Iterator[Hit]:
    """Find items by their whole key."""
    if not query.access.may("view_item"):
        return
    items: QuerySet[Item] = Item.objects.filter(key_digest=digest(query.text))
    visible = query.access.jobs().filter(pk=OuterRef("job_id"))
    phases = Phase.objects.filter(pk=OuterRef("phase_id")).filter(Exists(visible))
    for item in items.filter(Exists(phases)).select_related("phase__job").order_by()[:ENOUGH]:
        detail = f"{item.phase.job.name} · {item.phase.label}"
        address = reverse("admin:jobs_item_change", args=[item.pk])
        yield Hit("Items", item.label or item.key, address, detail, status_styles.STYLES[item.status])


@finder
def find_errors(query: SearchQuery) -> Iterator[Hit]:
    """Find the groups of errors among the newest failures by a part of the error."""
    failed = Item.objects.failed().filter(phase__job__removed_at__isnull=True)
    if query.access.projects is not None:
        failed = failed.filter(phase__job__project__in=sorted(query.access.projects))
    alike = newest(failed, "finished_at", RECENT_FAILURES).filter(error__icontains=query.text).order_by()
    groups = alike.values("signature").annotate(count=Count("pk"), sample=Max("error")).order_by("-count", "signature")
    for group in groups[:ENOUGH]:
        address = f"{reverse('admin:errors')}?{urlencode({'signature': group['signature'], 'since': 'all'})}"
        yield Hit("Errors", group["sample"], address, f"{pluralize(group['count'], 'item')} lately")


@finder
def find_workers(query: SearchQuery) -> Iterator[Hit]:
    """Find workers by a part of their name."""
    if not query.access.may("view_worker"):
        return
    visible = Worker.objects.within(query.access.projects)
    found = newest(visible, "seen_at", RECENT_WORKERS).filter(name__icontains=query.text).select_related("account")
    for worker in found.order_by("-seen_at", "-id")[:ENOUGH]:
        account = worker.account.username if worker.account else ""
        detail = " · ".join(filter(None, [account, f"seen {format_ago(worker.seen_at, now=query.now)}"]))
        yield Hit("Workers", worker.name, worker.get_absolute_url(), detail)


@finder
def find_acts(query: SearchQuery) -> Iterator[Hit]:
    """Find acts by their name: `retry` leads to the list, `retry vision-033` to the act on that job."""
    word, _, rest = query.text.partition(" ")
    acts = [act for act in ACTS.values() if act.on_whole_job and _is_called(act, word)]
    acts = [act for act in acts if query.access.may(act.codename)]
    for act in acts:
        yield _list_hit(act)
    jobs = jobs_found(query.access.jobs(), rest.strip()) if acts and rest.strip() else []
    for job in jobs[:ENOUGH]:
        for act in acts:
            if not refusal(act, job, query.user):
                address = reverse("admin:job-act", kwargs={"job_id": job.pk, "slug": act.name})
                yield Hit("Acts", f"{act.label} {job.name}…", address, style=status_styles.style_of(job))


def _is_called(act: Operation, word: str) -> bool:
    return any(name.lower().startswith(word.lower()) for name in (act.name, act.label, act.past))


def _list_hit(act: Operation) -> Hit:
    status = "" if JobStatus.PROCESSING in act.states else str(act.states[0])
    query = f"?{urlencode({'status': status})}" if status else ""
    return Hit("Acts", f"{act.label}…", f"{reverse('admin:jobs_job_changelist')}{query}", "select jobs in the list")


@finder
def find_pages(query: SearchQuery) -> Iterator[Hit]:
    """Find pages of the navigation by a part of their name."""
    site_map = navigation_of(query.request)
    for section in [*site_map.sections, *site_map.menu]:
        for tab in section.tabs:
            if query.text.lower() in f"{section.label} {tab.label}".lower():
                yield Hit("Pages", tab.label, tab.address, section.label if section.label != tab.label else "")
