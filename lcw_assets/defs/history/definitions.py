"""The series of history, their backfills and gaps, as Dagster sees them."""

from lcw_assets.defs.history.assets import histories
from lcw_assets.defs.history.derived import gaps
from lcw_assets.defs.history.jobs import backfills, derive
from lcw_assets.defs.history.schedules import derive_every_ten_minutes
from lcw_assets.defs.history.sensors import fill_gaps, resume_backfills

__all__ = ["backfills", "derive", "derive_every_ten_minutes", "fill_gaps", "gaps", "histories", "resume_backfills"]
