"""What keeps a request from being sent twice, sent elsewhere, or answered by something else."""

import ssl

from tests.mutations import Around, Mutation, forcing, returning

FAULT = "faults/test_faults.py::test_fault_has_its_outcome"
TRUSTING = Around(lambda original: lambda: _trusting(original()))


def _trusting(context: ssl.SSLContext) -> ssl.SSLContext:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _of_any_host(context: ssl.SSLContext) -> ssl.SSLContext:
    context.check_hostname = False
    return context


def _of_tls_1(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1
    return context


MUTATIONS = (
    Mutation(
        "no redirect is followed",
        "caxton_async.transport:aiohttp.ClientSession._request",
        forcing(allow_redirects=True),
        (f"{FAULT}[25-307-look-up]", f"{FAULT}[26-307-look-up]"),
    ),
    Mutation(
        "the environment names no proxy and no netrc file",
        "caxton_async.transport:aiohttp.ClientSession.__init__",
        forcing(trust_env=True),
        (f"{FAULT}[58-proxy-payment]", f"{FAULT}[58-netrc-login]"),
    ),
    Mutation(
        "nothing is decompressed",
        "caxton_async.transport:aiohttp.ClientSession.__init__",
        forcing(auto_decompress=True),
        (f"{FAULT}[42-deflate-look-up]", f"{FAULT}[43-not_true-look-up]"),
    ),
    Mutation(
        "a connection whose socket is readable is thrown away",
        "caxton_async.transport:_probe",
        returning(returning(False)),
        (f"{FAULT}[10-answer-payment]", f"{FAULT}[12-408-payment]"),
    ),
    Mutation(
        "a request counts as sent once a connection takes it",
        "caxton_async.protocol.request:HttpRequest.dispatched",
        property(returning(False), returning(None)),
        (f"{FAULT}[6-reset-payment]", f"{FAULT}[13-silence-payment]"),
    ),
    Mutation(
        "TLS is 1.2 or newer",
        "caxton_async.transport:own_ssl_context",
        Around(lambda original: lambda: _of_tls_1(original())),
        ("test_transport.py::test_tls_before_1_2_is_refused",),
    ),
    Mutation(
        "session keys of TLS are written nowhere",
        "caxton_async.transport:own_ssl_context",
        ssl.create_default_context,
        ("test_transport.py::test_session_keys_are_written_nowhere",),
    ),
    Mutation(
        "the authority of a certificate is checked",
        "caxton_async.transport:own_ssl_context",
        TRUSTING,
        (f"{FAULT}[60-unknown_authority-payment]",),
    ),
    Mutation(
        "the host of a certificate is checked",
        "caxton_async.transport:own_ssl_context",
        Around(lambda original: lambda: _of_any_host(original())),
        (f"{FAULT}[60-another_host-payment]",),
    ),
)
