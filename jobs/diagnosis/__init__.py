"""Why a job is not finished, with the evidence, and what each remedy would do now: computed, not guessed."""

from jobs.diagnosis.causes import Cause
from jobs.diagnosis.diagnose import Diagnosis, diagnose, diagnosis_body
from jobs.diagnosis.remedies import Remedy

__all__ = ["Cause", "Diagnosis", "Remedy", "diagnose", "diagnosis_body"]
