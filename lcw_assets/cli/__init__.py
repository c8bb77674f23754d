"""The commands of `python -m lcw_assets`. Each returns its lines, and `__main__` prints them. All of them only read."""

from lcw_assets.warehouse.statements import Statements

SQL = Statements(__file__)


class CommandError(Exception):
    """A command cannot do its work. The text has the reason, in one line."""
