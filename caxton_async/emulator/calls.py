"""The work of each call of the emulated API, and its answer, spelt by hand from the Caxton developer guide.

Who may call, and whether a body is well formed, has been decided by `app` when a function of this module runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from caxton_async.emulator.accounts import Account, Token, User
from caxton_async.emulator.envelope import (
    APPLIED,
    VALID,
    LoginRefused,
    client_model,
    content,
    password_model,
    user_model,
)
from caxton_async.emulator.ledger import Ledger, card_rate
from caxton_async.emulator.payroll import find_currency
from caxton_async.emulator.refusals import Refused
from caxton_async.emulator.tables import BANKS, COUNTRIES, Bank, Country


@attrs.frozen
class Call:
    """A call whose sender is known and whose body was read; `values` are those of the path."""

    ledger: Ledger
    token: Token | None
    account: Account
    user: User | None
    values: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def _known(self) -> Token:
        if self.token is None:
            raise Refused("NotAuthorised", "The call needs a token.")
        return self.token

    def client(self, *, is_long: bool = False) -> dict[str, object]:
        """Describe the client of the call."""
        return client_model(self._known, self.account, is_long=is_long)

    def person(self, app_version: str | None, fraction_digits: int = 7) -> dict[str, object]:
        """Describe the user of the call."""
        return user_model(self._known, self.account, self.user, app_version, fraction_digits)

    def number(self, name: str) -> int:
        """Return a value of the path as a number, one that nothing has if it is none."""
        return int(self.values[name]) if re.fullmatch("[0-9]{1,18}", self.values[name]) else -1


Document = dict[str, object]


def generate_password(call: Call) -> Document:
    """Give the client named in the body its password."""
    password = call.ledger.accounts.generate_password(call.body["Username"], call.body["Clientname"])
    return content(password_model(password))


def get_access_token(call: Call) -> Document:
    """Issue a token; the answer has no envelope."""
    if call.body.get("Grant_Type") != "password":
        raise LoginRefused("unsupported_grant_type", "Grant_Type is password.")
    token = call.ledger.accounts.log_in(call.body.get("Username", ""), call.body.get("Password", ""))
    if token is None:
        raise LoginRefused("invalid_grant", "The user name or password is incorrect.")
    return {"access_token": token.value, "token_type": "bearer", "expires_in": int(token.ends_at - token.starts_at)}


def reset_credentials(call: Call) -> Document:
    """Make the account's password and tokens stop working."""
    call.ledger.accounts.reset(call.account)
    return content(VALID)


def create_sub_account(call: Call) -> Document:
    """Open an account below the acting one."""
    account = call.ledger.accounts.add_sub_account(call.body["CompanyName"], call.account)
    return content({"Username": account.username, "Name": account.name} | VALID, None)


def create_user(call: Call) -> Document:
    """Register a person; the one call that answers 314."""
    user = call.ledger.accounts.add_user(call.account)
    model = {"ApplicantId": user.applicant_id, "Userid": user.user_id, "ApiToken": user.api_token}
    return content(model | APPLIED, "Success")


def list_banks(call: Call) -> Document:
    """List the banks that take money in; neither items nor Model have a status."""
    return content({"BankDetails": [_bank(call, bank) for bank in BANKS]}, None)


def banks_for_currency(call: Call) -> Document:
    """List the banks of a currency; the Model has a status here."""
    code = find_currency(call.values["ccy"]).code
    return content({"BankDetails": [_bank(call, bank) for bank in BANKS if bank.currency == code]} | VALID, None)


def _bank(call: Call, bank: Bank) -> Document:
    return {
        "AccountName": call.account.name if bank.own else "Caxton Payments Limited",
        "Currency": bank.currency,
        "BankName": bank.bank_name,
        "AccountNumber": bank.account_number,
        "IbanNumber": bank.iban,
        "SwiftCode": bank.swift,
        "SortCode": bank.sort_code,
        "BankAddress": bank.address,
        "BankAddress1": None,
        "BankAddress2": None,
        "Country": bank.country,
        "Type": 1 if bank.own else 0,
        "PayInReference": None if bank.own else f"62595{call.account.client_ref[2:]}",
    }


def list_countries(_call: Call) -> Document:
    """List the countries, one level deeper than other lists."""
    rest = {"ForOthers": False, "ForMonitor": False, "ForPlaceOfBirth": False}
    items = [
        _country(country) | rest | {"DefaultCurrencyCode": country.currency, "ISDCode": country.isd_code} | VALID
        for country in COUNTRIES.values()
    ]
    return content({"Countries": {"Result": items}}, None)


def get_country(call: Call) -> Document:
    """Show one country, in fewer members and without a status."""
    return content({"Country": _country(_find_country(call.values["code"]))}, None)


def _country(country: Country) -> Document:
    return {
        "ShortName": country.short_name,
        "FullName": country.full_name,
        "Alpha2Code": country.alpha_2,
        "Alpha3Code": country.alpha_3,
        "NumericCode": country.numeric,
        "ForApplications": True,
        "ForBeneficiaries": country.for_beneficiaries,
    }


def _find_country(code: str) -> Country:
    if code not in COUNTRIES:
        raise Refused("UnknownCountry", "The country is not known by this code.")
    return COUNTRIES[code]


def get_bank_requirements(call: Call) -> Document:
    """Say what a bank asks for; the status sits on the nested object."""
    country = _find_country(call.values["ccy_country"])
    find_currency(call.values["ccy_currency"])
    requirements = {
        "CountryCode": country.alpha_2,
        "LocalCurrency": country.currency,
        "UsesIban": country.uses_iban,
        "UsesBankCode": country.bank_code is not None,
        "BankCodeDescription": country.bank_code,
        "UsesSepa": country.currency == "EUR",
        "RequiresBenAddress": not country.uses_iban,
        "UsesSortCode": country.uses_sort_code,
        "UsesSwift": True,
        "UsesAccountNumber": not country.uses_iban or country.uses_sort_code,
    }
    return content({"BankRequirements": requirements | VALID}, None)


def move_funds(call: Call) -> Document:
    """Move money between two balances of the acting account."""
    source, target = call.body["FromCurrency"], call.body["ToCurrency"]
    call.ledger.move(call.account, source, target, call.body["Amount"])
    # The guide's example describes the source in full, the destination in three members without a status.
    return content({"Balances": [_balance(call, source), _short_balance(call, target)]}, None)


def create_pot(call: Call) -> Document:
    """Open a pot."""
    values, name = call.values, call.body.get("FriendlyName")
    code = call.ledger.create_pot(call.account, values["ccy"], values["potPrefix"], name)
    return content({"Balances": [_balance(call, code)]}, None)


def _short_balance(call: Call, code: str) -> Document:
    return {"Balance": call.ledger.balance(call.account, code), "CcyCode": code, "BaseCcyCode": code[-3:]}


def _balance(call: Call, code: str) -> Document:
    currency = find_currency(code.rpartition("-")[2])
    name = call.account.pots.get(code)
    return (
        _short_balance(call, code)
        | ({} if name is None else {"FriendlyName": name})
        | {
            "AlphabeticCode": currency.code,
            "Description": currency.description,
            "NumericCode": currency.numeric,
            "Symbol": currency.symbol,
        }
        | VALID
    )


def create_bulk_upload(call: Call) -> Document:
    """Open a bulk upload and name its columns."""
    upload = call.ledger.create_upload(call.account, call.body["Description"], call.body["ExternalSource"])
    model = {"UploadRecordId": upload.upload_record_id, "ColumnFormat": upload.columns}
    return content(model | VALID, AuthorisedClientModel=call.client())


def submit_bulk_payload(call: Call) -> Document:
    """Pay the rows of an upload."""
    call.ledger.submit(call.account, call.number("upload_record_id"), call.body["Payload"])
    return content(VALID, AuthorisedClientModel=call.client())


def get_card_rate(call: Call) -> Document:
    """Quote a rate for a card."""
    quote = card_rate(call.body["CcyCode"], call.body["SellccyCode"], call.body["Amount"])
    model = {
        "IsEnhancedRate": False,
        "BuyAmount": quote.buy_amount,
        "BuyCurrency": quote.buy.code,
        "BuyDesc": quote.buy.description,
        "BuySymbol": quote.buy.symbol,
        "SellAmount": quote.sell_amount,
        "SellCurrency": quote.sell.code,
        "SellDesc": quote.sell.description,
        "SellSymbol": quote.sell.symbol,
        "ExchangeRate": quote.rate,
        "ChannelType": 18,
    }
    return content(model | VALID, None)


def create_wallet(call: Call) -> Document:
    """Open a wallet."""
    wallet = call.ledger.create_wallet(call.account, call.body["Name"])
    return content(
        {"WalletId": wallet.wallet_id, "Name": wallet.name} | VALID,
        AuthorisedClientModel=call.client(),
        AuthorisedUserModel=call.person(None),
    )


def create_card(call: Call) -> Document:
    """Add a card to a wallet."""
    if call.body["Gender"] not in ("Male", "Female"):
        raise Refused("InvalidValue", "Gender is Male or Female.")
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", call.body["DateOfBirth"]):
        raise Refused("InvalidValue", "DateOfBirth is written yyyy-mm-dd.")
    return content({"CardId": call.ledger.create_card(call.account, call.number("wallet_id"))} | VALID, None)


def enable_webhooks(call: Call) -> Document:
    """Switch webhooks on."""
    call.ledger.webhooks_enabled = True
    return _bare(call)


def create_webhook_endpoint(call: Call) -> Document:
    """Note where notifications would go."""
    call.ledger.webhooks.append((call.body["WebhookEventType"], call.body["EndpointUrl"]))
    return _bare(call)


def _bare(call: Call) -> Document:
    return content(VALID, AuthorisedClientModel=call.client(), AuthorisedUserModel=call.person("20231117.1"))


def fund_sandbox(call: Call) -> Document:
    """Let money come in."""
    call.ledger.fund(call.account, call.body["Currency"], call.body["Amount"])
    return _bare_of_sandbox(call)


def decide_transfer(call: Call) -> Document:
    """Approve or reject a payment."""
    if call.body["TransferStatus"] not in ("Approved", "Rejected"):
        raise Refused("InvalidValue", "TransferStatus is Approved or Rejected.")
    call.ledger.decide(call.account, call.body["TransferId"], call.body["TransferStatus"])
    return _bare_of_sandbox(call)


def _bare_of_sandbox(call: Call) -> Document:
    return {"MainAccountHolderName": call.ledger.accounts.main.name} | content(
        VALID,
        AuthorisedClientModel=call.client(is_long=True),
        AuthorisedUserModel=call.person("20240322.1", fraction_digits=6),
    )
