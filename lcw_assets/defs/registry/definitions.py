"""The token registry, as Dagster sees it."""

from lcw_assets.ingest.declaration import Check, LoadDeclaration, Table
from lcw_assets.sources.kucoin_futures.spec import SOURCE

_TOKENS = "registry/tokens"

token_registry_sync = LoadDeclaration(
    job="token_registry_sync",
    step="sync",
    source=SOURCE,
    description="Get every futures contract of KuCoin, and bring the token registry up to date.",
    hooks="lcw_assets.defs.registry.load:SyncHooks",
    id_name="sync_id",
    raw={
        "contracts": "Every KuCoin futures contract, as it came: kept once an hour, and whenever a response was not "
        "applied or something in it is refused for the first time in an hour."
    },
    tables=(
        Table(
            key=_TOKENS,
            description="Every KuCoin futures contract that there is or was: status, when it was listed and delisted, "
            "and all that KuCoin says of it.",
            deps=("raw/contracts",),
            unique=("symbol",),
            fresh_by="last_seen",
        ),
        Table(
            key="registry/token_events",
            description="What happened to each contract, each once: listed, delisted, relisted, changes of status and "
            "parameters with their old and new values.",
            deps=(_TOKENS,),
        ),
        Table(
            key="registry/token_snapshots",
            description="Each contract's price, funding and open interest: a row only where they differ from the ones "
            "before.",
            deps=(_TOKENS,),
        ),
    ),
    facts=Table(
        key="ops/syncs",
        description="One row a sync: where each second went, what changed, what was not applied and why.",
        deps=(_TOKENS,),
    ),
    checks=(
        Check("no_mass_delisting", _TOKENS, "The response was plausible: it did not lack too many contracts."),
        Check("no_field_lost", _TOKENS, "Every field that contracts had is still there."),
    ),
    check_names={"keys_unique": "symbols_unique", "load_time": "sync_time"},
    deadline_s=30.0,  # a listing is known within the minute
    max_runtime_s=60,
)
