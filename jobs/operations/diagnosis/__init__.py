"""The diagnosis of a job: the causes that keep it unfinished, and the effect of each remedy now."""

from jobs.operations.diagnosis.causes import Cause
from jobs.operations.diagnosis.diagnose import Diagnosis, diagnose, diagnosis_body
from jobs.operations.diagnosis.remedies import Remedy

__all__ = ["Cause", "Diagnosis", "Remedy", "diagnose", "diagnosis_body"]
