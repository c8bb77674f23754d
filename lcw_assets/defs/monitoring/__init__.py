"""Facts -> measures, causes, the SLA, reports, watchers and alerts."""

from lcw_assets.warehouse.statements import Statements

SQL = Statements(__file__)
