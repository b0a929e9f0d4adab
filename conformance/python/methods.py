"""Notes which of hvac's methods came back without an error, so that a test can tell which nobody drives. The methods
themselves are hvac's own, unchanged."""

import functools
import inspect

from hvac.api.auth_methods import AppRole, Token, Userpass
from hvac.api.secrets_engines import KvV1, KvV2
from hvac.api.system_backend import SystemBackend

KINDS = {"sys": SystemBackend, "kv.v1": KvV1, "kv.v2": KvV2, "token": Token, "approle": AppRole, "userpass": Userpass}
driven = set()

# What this keep does not have, each with the reason.
NOT_HERE = {
    "sys.create_or_update_egp_policy": "Sentinel is the vendor's enterprise product",
    "sys.delete_egp_policy": "Sentinel is the vendor's enterprise product",
    "sys.list_egp_policies": "Sentinel is the vendor's enterprise product",
    "sys.read_egp_policy": "Sentinel is the vendor's enterprise product",
    "sys.create_or_update_rgp_policy": "Sentinel is the vendor's enterprise product",
    "sys.delete_rgp_policy": "Sentinel is the vendor's enterprise product",
    "sys.list_rgp_policies": "Sentinel is the vendor's enterprise product",
    "sys.read_rgp_policy": "Sentinel is the vendor's enterprise product",
    "sys.cancel_root_generation": "hvac sends no nonce, and only who has it may end an attempt: it is a rule here against strangers who cancel",
    "sys.cancel_rekey": "the same",
    "sys.cancel_rekey_verify": "the same",
    "sys.read_backup_keys": "shares are backed up only when encrypted to PGP keys; the Go suite drives that",
    "sys.enable_audit_device": "where records go is set in the server's own configuration",
    "sys.disable_audit_device": "the same",
    "sys.renew_lease": "the only leases are those of tokens, which are renewed where tokens are",
    "sys.join_raft_cluster": "there is one node",
    "sys.remove_raft_node": "the same",
    "sys.create_or_update_raft_auto_snapshot_config": "snapshots are scheduled in the server's own configuration",
    "sys.delete_raft_auto_snapshot_config": "the same",
    "sys.list_raft_auto_snapshot_configs": "the same",
    "sys.read_raft_auto_snapshot_config": "the same",
    "sys.read_raft_auto_snapshot_status": "the same",
}


def public(cls):
    return [n for n, _ in inspect.getmembers(cls, inspect.isfunction) if not n.startswith("_") and n != "get_private_attr_name"]


def note():
    for kind, cls in KINDS.items():
        for name in public(cls):
            setattr(cls, name, noted(f"{kind}.{name}", getattr(cls, name)))


def noted(name, method):
    @functools.wraps(method)
    def call(*args, **kwargs):
        answer = method(*args, **kwargs)
        driven.add(name)
        return answer

    return call


def missing():
    every = {f"{kind}.{name}" for kind, cls in KINDS.items() for name in public(cls)}
    return sorted(every - driven - NOT_HERE.keys()) + sorted(NOT_HERE.keys() - every) + sorted(NOT_HERE.keys() & driven)
