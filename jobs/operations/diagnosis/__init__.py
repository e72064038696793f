"""Why a job is not finished, with the evidence, and what each remedy would do now: computed, not guessed."""

from jobs.operations.diagnosis.causes import Cause
from jobs.operations.diagnosis.diagnose import Diagnosis, diagnose, diagnosis_body
from jobs.operations.diagnosis.remedies import Remedy

__all__ = ["Cause", "Diagnosis", "Remedy", "diagnose", "diagnosis_body"]
