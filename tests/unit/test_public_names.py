"""The public names: users' programs are written against them."""

import importlib
import inspect
import subprocess
import sys
from functools import cached_property

import pytest

import caxton_async
from caxton_async import Credentials, endpoints, models, resources
from caxton_async.client import CaxtonClient
from caxton_async.endpoints import CATALOGUE, Endpoint

NAMES = [
    "AlreadyResolved",
    "ApiError",
    "AssumedPathWarning",
    "AuthenticationFailed",
    "BatchSummary",
    "BulkSource",
    "CATALOGUE",
    "CaxtonClient",
    "CaxtonError",
    "CertificateRejected",
    "Configuration",
    "ConfigurationError",
    "Credentials",
    "DeadlineExceeded",
    "DuplicateReference",
    "DuplicatesSuspected",
    "Endpoint",
    "Envelope",
    "Environment",
    "Event",
    "InProgress",
    "InvalidRequest",
    "JournalError",
    "JournalFailed",
    "JournalRefused",
    "LoginRefused",
    "NotAuthorised",
    "NotFound",
    "NotSent",
    "Once",
    "OutcomeUnknown",
    "RateLimited",
    "ReferenceConflict",
    "Secret",
    "Sent",
    "ServerFailed",
    "Settings",
    "TransitionRefused",
    "UnreadableReply",
    "WebhookEvent",
    "load_configuration",
    "once",
    "open_journal",
    "resume_batch",
    "run_batch",
    "to_jsonable",
]
# Each group of the client, its methods, and how each of them is called.
GROUPS = {
    "auth": {
        "generate_password": "(self)",
        "rotate_password": "(self, *, keep=None)",
        "lift_hold": "(self)",
        "access_token": "(self)",
        "reset_credentials": "(self, identity_number=None)",
    },
    "sub_accounts": {"create": "(self, company_name, email)", "generate_password": "(self, sub)"},
    "users": {"create": "(self, user, *, iv_key=None)"},
    "banks": {"list": "(self)", "for_currency": "(self, currency)"},
    "countries": {"list": "(self)", "get": "(self, code)", "bank_requirements": "(self, country, currency)"},
    "balances": {
        "move_funds": "(self, *, from_currency, to_currency, amount)",
        "create_pot": "(self, currency, prefix, *, friendly_name=None)",
    },
    "bulk_payments": {"create_upload": "(self, *, description, source)", "submit": "(self, upload, rows)"},
    "fx": {"card_rate": "(self, *, buy, sell, amount)"},
    "wallets": {"create": "(self, name)"},
    "cards": {"create": "(self, card)"},
    "webhooks": {"enable": "(self)", "create_endpoint": "(self, event, url)"},
    "sandbox": {
        "fund": "(self, *, currency, amount, user_id)",
        "decide_transfer": "(self, transfer_id, *, approve)",
    },
}


def call_of(function) -> str:
    """Return how a function is called: its signature without types."""
    signature = inspect.signature(function)
    parameters = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


def methods_of(cls: type) -> dict[str, str]:
    """Return the public methods of a class, and how each of them is called."""
    return {name: call_of(value) for name, value in vars(cls).items() if inspect.isfunction(value) and name[0] != "_"}


def test_the_public_names_are_these() -> None:
    """Nothing is public by accident, and nothing that was public is lost."""
    assert sorted(caxton_async.__all__) == sorted(NAMES)
    assert all(getattr(caxton_async, name) is not None for name in NAMES)


def test_a_star_import_gives_the_public_names() -> None:
    """Every name in `__all__` can be imported, also the one that is loaded late."""
    scope: dict[str, object] = {}

    exec("from caxton_async import *", scope)

    assert set(scope) - {"__builtins__"} == set(NAMES)
    assert scope["CaxtonClient"] is CaxtonClient


def test_an_unknown_name_is_an_attribute_error() -> None:
    """The loading of late names does not swallow a misspelling."""
    with pytest.raises(AttributeError, match="'caxton_async' has no attribute 'CaxtonCleint'"):
        _ = caxton_async.CaxtonCleint


def test_importing_the_package_brings_only_its_errors() -> None:
    """What is not named does not make anybody wait: neither the network library nor the models."""
    program = (
        "import sys, caxton_async as c; late = {'aiohttp', 'attr', 'asyncio', 'ssl'}; print(late & set(sys.modules));"
        "print('CaxtonClient' in dir(c), c.CaxtonClient is c.client.CaxtonClient, late <= set(sys.modules))"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert printed.stdout.split() == ["set()", "True", "True", "True"]


@pytest.mark.parametrize("module", ["batch", "journal"])
def test_batches_and_journals_need_no_network_library(module: str) -> None:
    """Who only looks at a journal, plans or reports does not wait for aiohttp to be loaded."""
    program = f"import sys; from caxton_async.{module} import *; print('aiohttp' in sys.modules)"

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == "False"


@pytest.mark.parametrize("group", GROUPS)
def test_the_methods_of_a_group_are_these(group: str) -> None:
    """Ids, codes and a request object are positional, all else goes by name."""
    client = CaxtonClient(Credentials("u", "c"))

    assert methods_of(type(getattr(client, group))) == GROUPS[group]


def test_the_client_has_these_methods_and_groups() -> None:
    """The client itself opens, closes, views and calls; all else is in its groups."""
    assert methods_of(CaxtonClient) == {
        "open": "(self)",
        "aclose": "(self, drain_s=None)",
        "for_account": "(self, identity_number)",
        "for_user": "(self, user_token, *, user_id=None)",
        "with_options": "(self, *, deadline_s=None, attempt_timeout_s=None, max_attempts=None, reference=None)",
        "call": "(self, endpoint, request=None)",
        "call_envelope": "(self, endpoint, request=None)",
    }
    groups = {name for name, value in vars(CaxtonClient).items() if isinstance(value, property | cached_property)}
    assert groups - {"acting_for", "caller", "credentials", "settings"} == set(GROUPS)


def test_every_call_of_the_catalogue_is_a_constant() -> None:
    """`create_wallet` is `CREATE_WALLET`, and nothing else is an endpoint there."""
    constants = {name: value for name, value in vars(endpoints).items() if isinstance(value, Endpoint)}

    assert {name.lower(): value for name, value in constants.items()} == dict(CATALOGUE)


def test_every_call_of_the_catalogue_has_its_method() -> None:
    """The groups make each call of the catalogue; the login is the client's own."""
    source = inspect.getsource(resources)

    assert [name for name in CATALOGUE if f"e.{name.upper()}" not in source] == ["get_access_token"]


@pytest.mark.parametrize(
    "module",
    [
        "errors",
        "secret",
        "config",
        "models",
        "endpoints",
        "bulk",
        "protocol.codec",
        "protocol.request",
        "retry",
        "client",
    ],
)
def test_a_module_says_what_belongs_there(module: str) -> None:
    """Each module's docstring tells a newcomer where a line belongs."""
    doc = importlib.import_module(f"caxton_async.{module}").__doc__ or ""

    assert len(doc.split("\n", 1)[0]) > 20


def test_every_model_is_frozen_and_has_slots() -> None:
    """What the API talks about cannot be changed after it was checked."""
    classes = [
        value
        for value in vars(models).values()
        if isinstance(value, type) and value.__module__.startswith(models.__name__)
    ]
    attrs_classes = [cls for cls in classes if hasattr(cls, "__attrs_attrs__")]

    assert len(attrs_classes) > 30
    assert all(cls.__setattr__ is not object.__setattr__ and "__dict__" not in dir(cls) for cls in attrs_classes)
    assert all(cls.__doc__ for cls in attrs_classes)
