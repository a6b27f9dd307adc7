"""WHAT IS KNOWN: versions, verdicts, aliases, releases, runs, decisions, and one history that is only added to."""

from __future__ import annotations

from registry.api_keys import ApiKey, ApiKeys, Grant, api_keys, hashed, new_api_key, revoke_api_key, rotate_api_key
from registry.approval import approve, champions, may_answer, promote, reject, revoke, rollback
from registry.chain import anchor_decisions
from registry.database import Registry, close, open_registry
from registry.decisions import DOUBTS, decision, decisions, log_decisions, of_request
from registry.difference import diff
from registry.erasures import erased_months, log_erasure
from registry.errors import Conflict, Damaged, NotAllowed, RegistryError, RegistryUnreachable, UnknownVersion
from registry.evaluations import log_evaluation
from registry.events import EventRecord, history
from registry.feedback import Entered, Said, Stated, labelled, log_feedback, log_review, review_queue
from registry.fence import Lease
from registry.leases import fenced, held, holds, renew_lease, take_lease
from registry.lineage import Answered, answered, fetch_snapshot, keep_snapshot, made_of, snapshots
from registry.moments import as_of
from registry.orders import (
    Challenger,
    Orders,
    fall_silent,
    loaded,
    orders,
    pulse,
    release_steps,
    start_challenger,
    stop_challenger,
    take_step,
    unloadable,
)
from registry.runs import Release, Run, finish_run, open_runs, release, releases, run, start_run
from registry.states import BARRED
from registry.steps import Step
from registry.verifying import verify
from registry.versions import Version, count_versions, fetch, register, show, versions

__all__ = [
    "BARRED",
    "DOUBTS",
    "Answered",
    "ApiKey",
    "ApiKeys",
    "Challenger",
    "Conflict",
    "Damaged",
    "Entered",
    "EventRecord",
    "Grant",
    "Lease",
    "NotAllowed",
    "Orders",
    "Registry",
    "RegistryError",
    "RegistryUnreachable",
    "Release",
    "Run",
    "Said",
    "Stated",
    "Step",
    "UnknownVersion",
    "Version",
    "anchor_decisions",
    "answered",
    "api_keys",
    "approve",
    "as_of",
    "champions",
    "close",
    "count_versions",
    "decision",
    "decisions",
    "diff",
    "erased_months",
    "fall_silent",
    "fenced",
    "fetch",
    "fetch_snapshot",
    "finish_run",
    "hashed",
    "held",
    "history",
    "holds",
    "keep_snapshot",
    "labelled",
    "loaded",
    "log_decisions",
    "log_erasure",
    "log_evaluation",
    "log_feedback",
    "log_review",
    "made_of",
    "may_answer",
    "new_api_key",
    "of_request",
    "open_registry",
    "open_runs",
    "orders",
    "promote",
    "pulse",
    "register",
    "reject",
    "release",
    "release_steps",
    "releases",
    "renew_lease",
    "review_queue",
    "revoke",
    "revoke_api_key",
    "rollback",
    "rotate_api_key",
    "run",
    "show",
    "snapshots",
    "start_challenger",
    "start_run",
    "stop_challenger",
    "take_lease",
    "take_step",
    "unloadable",
    "verify",
    "versions",
]
