"""Right answers made odd: each edit is a pure function of the document of the answer and the fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from caxton_async.emulator.envelope import VALID, content, failing
from caxton_async.emulator.fault import Fault

Document = dict[str, Any]
_MIB = 1024 * 1024
# What an answer says of the call that it answers, each with what another call's answer would say.
_FOREIGN = {
    "CcyCode": "OTHER-GBP",
    "Name": "Somebody else",
    "BuyCurrency": "XTS",
    "SellCurrency": "XTS",
    "SellAmount": 1,
    "UploadRecordId": 999_999,
}


def _fail_item(document: Document, _fault: Fault) -> None:
    nested = _first_nested(_model(document))
    if nested is not None:
        nested |= failing(4997, "ItemFailed", "The emulator was told to fail this item.")


def _first_nested(model: Document) -> Document | None:
    for value in model.values():
        if isinstance(value, dict):
            return _first_nested(value) or value
        if isinstance(value, list) and value:
            return value[-1] if isinstance(value[-1], dict) else None
    return None


def _fail_authorised(document: Document, _fault: Fault) -> None:
    document["AuthorisedUserModel"] = {"UserId": "u"} | failing(4996, "TokenExpired", "The user's token has ended.")


def _contradict(document: Document, fault: Fault) -> None:
    odd = {"ApiStatus": "Failed"} if fault.chosen_variant == "name" else {"ApiStatusCode": 4995}
    _model(document).update({**VALID, **odd})


def _each_status(document: Document, change: Callable[[str], str]) -> None:
    for each in _objects(document):
        if isinstance(each.get("ApiStatus"), str):
            each["ApiStatus"] = change(each["ApiStatus"])
        if isinstance(each.get("ExpectedResponses"), list):
            each["ExpectedResponses"] = [change(name) for name in each["ExpectedResponses"]]


def _camel_case(document: Document, _fault: Fault) -> None:
    for each in list(_objects(document)):
        renamed = {name[:1].lower() + name[1:]: value for name, value in each.items()}
        each.clear()
        each.update(renamed)


def _add_unknown(document: Document, _fault: Fault) -> None:
    for each in list(_objects(_model(document))):
        each["VendorNote"] = "new"


def _nullify(document: Document, _fault: Fault) -> None:
    for each in _objects(_model(document)):
        each.update({name: None for name, value in each.items() if isinstance(value, list)})


def _add_items(document: Document, fault: Fault) -> None:
    item: object = 1 if fault.chosen_variant == "numbers" else {}
    written = 2 if item == 1 else 3  # bytes, with the comma
    _model(document)["Items"] = [item] * ((fault.size or 8 * _MIB) // written)


def _make_foreign(document: Document, _fault: Fault) -> None:
    for each in _objects(_model(document)):
        each.update({name: value for name, value in _FOREIGN.items() if name in each})


def _strip(document: Document, _fault: Fault) -> None:
    document.clear()
    document.update(content(VALID))


def _respell_token(document: Document, fault: Fault) -> None:
    token, life = document.get("access_token", ""), document.get("expires_in", 0)
    forms: dict[str, Document] = {
        "expires_in_float": {"expires_in": float(life)},
        "expires_in_text": {"expires_in": str(life)},
        "expires_in_padded": {"expires_in": f"{life} "},
        "expires_in_null": {"expires_in": None},
        "token_line_end": {"access_token": f"{token}\r\n"},
        "type_line_end": {"token_type": "bearer\r\n"},
        "upper_case_type": {"token_type": "BEARER"},
    }
    if fault.chosen_variant == "expires_in_missing":
        document.pop("expires_in", None)
    else:
        document.update(forms[fault.chosen_variant])


def _objects(value: object) -> Iterator[Document]:
    if isinstance(value, dict):
        yield value
    if isinstance(value, (dict, list)):
        for each in list(value.values()) if isinstance(value, dict) else value:
            yield from _objects(each)


def _model(document: Document) -> Document:
    """Return the Model, an empty one where the answer has none, so that every edit can be made."""
    model = document.get("Content", {}).get("Model")
    return model if isinstance(model, dict) else {}


EDITS: dict[str, Callable[[Document, Fault], None]] = {
    "failing_item": _fail_item,
    "failing_authorised_after": _fail_authorised,
    "contradictory_status": _contradict,
    "status_whitespace": lambda document, _: _each_status(document, lambda name: f" {name}\r\n"),
    "upper_case_status": lambda document, _: _each_status(document, str.upper),
    "camel_case_members": _camel_case,
    "unknown_members": _add_unknown,
    "repeated_member": lambda document, _: document.update(
        {"content": content(failing(4994, "Failed", "The emulator was told to say two things."))["Content"]}
    ),
    "error_member": lambda document, _: document.update({"error": "failed"}),
    "null_lists": _nullify,
    "many_items": _add_items,
    "foreign_echo": _make_foreign,
    "bare_envelope": _strip,
    "login_reply": _respell_token,
}
