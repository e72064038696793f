#!/bin/sh
#SBATCH --job-name=align
#SBATCH --array=1-100
#SBATCH --requeue
#SBATCH --signal=B:TERM@60
# Each task of the array is one item of the job. A requeued task runs again only if it has not succeeded.
# PROGRESS_URL and PROGRESS_TOKEN come from the environment of sbatch.
set -eu

# exec: the signal of Slurm reaches `progress`, which passes it on to the command.
exec progress run \
  --job "${SLURM_JOB_NAME}-${SLURM_ARRAY_JOB_ID}" \
  --key "task ${SLURM_ARRAY_TASK_ID}" \
  -- "${ALIGN:-./align.sh}" "${SLURM_ARRAY_TASK_ID}"
