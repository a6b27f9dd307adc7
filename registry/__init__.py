"""WHAT IS KNOWN: versions, verdicts, aliases, releases, runs, decisions, and one history that is only added to."""

from __future__ import annotations

from registry.api_keys import ApiKey, ApiKeys, Grant, api_keys, hashed, new_api_key, revoke_api_key, rotate_api_key
from registry.approval import approve, champions, may_answer, promote, reject, revoke, rollback
from registry.bundle import Bundle, lay_out, seal, unseal
from registry.chain import anchor_decisions
from registry.checkpoints import checkpoint, witnessed
from registry.collecting import Stray, collect
from registry.database import Migrated, Registry, close, migrate, unbound
from registry.decisions import DOUBTS, decision, decisions, log_decisions, of_request
from registry.difference import diff
from registry.erasures import erased_months, log_erasure
from registry.errors import (
    Conflict,
    Damaged,
    NotAllowed,
    NotSigned,
    RegistryError,
    RegistryUnreachable,
    RestoredBackup,
    UnknownVersion,
)
from registry.evaluations import log_evaluation
from registry.events import EventRecord, history
from registry.evidence import Origin
from registry.expiry import expire
from registry.feedback import Entered, Said, Stated, labelled, log_feedback, log_review, review_queue
from registry.fence import Lease
from registry.importing import import_version, origin
from registry.importing import run_of as import_run
from registry.leases import fenced, held, holds, renew_lease, take_lease
from registry.lineage import Answered, answered, fetch_snapshot, keep_snapshot, made_of, snapshots
from registry.moments import as_of
from registry.opening import open_registry
from registry.openssf import sign as sign_files
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
from registry.proofs import extend, prove
from registry.restored import accept as accept_checkpoint
from registry.restored import behind, covered
from registry.runs import Release, Run, finish_run, open_runs, release, releases, run, start_run
from registry.signatures import require_signed, signature
from registry.signing import Key, Signer, held_keys, keep_key, new_key, public_of
from registry.states import BARRED, was
from registry.steps import Step
from registry.verdicts import sign_run
from registry.verifying import accept as accept_fault
from registry.verifying import verify
from registry.versions import Version, count_versions, fetch, register, show, versions

__all__ = [
    "BARRED",
    "DOUBTS",
    "ROLES",
    "Answered",
    "ApiKey",
    "ApiKeys",
    "Bundle",
    "Challenger",
    "Conflict",
    "Damaged",
    "Entered",
    "EventRecord",
    "Grant",
    "Key",
    "Lease",
    "Migrated",
    "NotAllowed",
    "NotSigned",
    "Orders",
    "Origin",
    "People",
    "Person",
    "Registry",
    "RegistryError",
    "RegistryUnreachable",
    "Release",
    "RestoredBackup",
    "Run",
    "Said",
    "Signer",
    "Stated",
    "Step",
    "Stray",
    "UnknownVersion",
    "Version",
    "accept_checkpoint",
    "accept_fault",
    "add_person",
    "anchor_decisions",
    "answered",
    "api_keys",
    "approve",
    "as_of",
    "behind",
    "champions",
    "checkpoint",
    "close",
    "collect",
    "count_versions",
    "covered",
    "decision",
    "decisions",
    "diff",
    "erased_months",
    "expire",
    "extend",
    "fall_silent",
    "fenced",
    "fetch",
    "fetch_snapshot",
    "finish_run",
    "first_person",
    "hashed",
    "held",
    "held_keys",
    "history",
    "holds",
    "import_run",
    "import_version",
    "keep_key",
    "keep_snapshot",
    "labelled",
    "lay_out",
    "loaded",
    "log_decisions",
    "log_erasure",
    "log_evaluation",
    "log_feedback",
    "log_review",
    "made_of",
    "may_answer",
    "migrate",
    "new_api_key",
    "new_key",
    "of_request",
    "open_registry",
    "open_runs",
    "orders",
    "origin",
    "people",
    "person_name",
    "pin",
    "pinned",
    "promote",
    "prove",
    "public_of",
    "pulse",
    "register",
    "reject",
    "release",
    "release_steps",
    "releases",
    "renew_lease",
    "require_signed",
    "retire_person",
    "review_queue",
    "revoke",
    "revoke_api_key",
    "rollback",
    "rotate_api_key",
    "rotate_person",
    "run",
    "seal",
    "show",
    "sign_files",
    "sign_run",
    "signature",
    "snapshots",
    "start_challenger",
    "start_run",
    "stop_challenger",
    "take_lease",
    "take_step",
    "unbound",
    "unloadable",
    "unseal",
    "verify",
    "versions",
    "was",
    "witnessed",
]
