"""WHAT IS KNOWN: versions, verdicts, aliases, releases, runs, decisions, and one history that is only added to."""

from __future__ import annotations

from registry.api_keys import ApiKey, ApiKeys, Grant, api_keys, hashed, new_api_key, revoke_api_key, rotate_api_key
from registry.approval import approve, as_of, champions, may_answer, promote, reject, revoke, rollback
from registry.chain import anchor_decisions
from registry.database import Registry, close, open_registry
from registry.decisions import DOUBTS, decision, decisions, log_decisions, of_request
from registry.erasures import erased_months, log_erasure
from registry.errors import (
    Conflict,
    Damaged,
    NotAllowed,
    NotSigned,
    RegistryError,
    RegistryUnreachable,
    UnknownVersion,
)
from registry.evaluations import log_evaluation
from registry.events import EventRecord, history
from registry.expiry import expire
from registry.feedback import Entered, Said, Stated, labelled, log_feedback, log_review, review_queue
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
from registry.persons import (
    ROLES,
    People,
    Person,
    add_person,
    first_person,
    people,
    person_name,
    retire_person,
    rotate_person,
)
from registry.pins import pin, pinned
from registry.runs import (
    Lease,
    Release,
    Run,
    finish_run,
    holds,
    open_runs,
    release,
    releases,
    run,
    start_run,
    take_lease,
)
from registry.signatures import require_signed, signature
from registry.signing import Key, Signer, held_keys, keep_key, new_key, public_of
from registry.states import BARRED, was
from registry.steps import Step
from registry.verdicts import sign_run
from registry.verifying import verify
from registry.versions import Version, diff, fetch, register, show, versions

__all__ = [
    "BARRED",
    "DOUBTS",
    "ROLES",
    "ApiKey",
    "ApiKeys",
    "Challenger",
    "Conflict",
    "Damaged",
    "Entered",
    "EventRecord",
    "Grant",
    "Key",
    "Lease",
    "NotAllowed",
    "NotSigned",
    "Orders",
    "People",
    "Person",
    "Registry",
    "RegistryError",
    "RegistryUnreachable",
    "Release",
    "Run",
    "Said",
    "Signer",
    "Stated",
    "Step",
    "UnknownVersion",
    "Version",
    "add_person",
    "anchor_decisions",
    "api_keys",
    "approve",
    "as_of",
    "champions",
    "close",
    "decision",
    "decisions",
    "diff",
    "erased_months",
    "expire",
    "fall_silent",
    "fetch",
    "finish_run",
    "first_person",
    "hashed",
    "held_keys",
    "history",
    "holds",
    "keep_key",
    "labelled",
    "loaded",
    "log_decisions",
    "log_erasure",
    "log_evaluation",
    "log_feedback",
    "log_review",
    "may_answer",
    "new_api_key",
    "new_key",
    "of_request",
    "open_registry",
    "open_runs",
    "orders",
    "people",
    "person_name",
    "pin",
    "pinned",
    "promote",
    "public_of",
    "pulse",
    "register",
    "reject",
    "release",
    "release_steps",
    "releases",
    "require_signed",
    "retire_person",
    "review_queue",
    "revoke",
    "revoke_api_key",
    "rollback",
    "rotate_api_key",
    "rotate_person",
    "run",
    "show",
    "sign_run",
    "signature",
    "start_challenger",
    "start_run",
    "stop_challenger",
    "take_lease",
    "take_step",
    "unloadable",
    "verify",
    "versions",
    "was",
]
